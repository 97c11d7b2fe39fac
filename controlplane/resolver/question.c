// SPDX-License-Identifier: BSD-3-Clause
#include "question.h"

#include "policy/safe_search.h"
#include "resolver_answer.h"
#include "resolver_check.h"
#include "resolver_flush.h"
#include "resolver_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/clock.h>

// The client's question stays what it is in L0 and for the client; upstreams and L1 see the name at
// the end of local CNAMEs and safe search.

enum { SAFE_CNAME_TTL_S = 300 };

const struct dns_name *question_asked(const struct question *q)
{
	return q->rewrite ? &q->rewrite->alias[q->rewrite->count - 1].target : &q->query.name;
}

int question_read(const struct question *q, const uint8_t *msg, size_t len, struct dns_answer *out)
{
	const struct resolver *r = q->owner;
	const struct rewrite *w = q->rewrite;
	return w ? dns_answer_read_aliased(msg, len, question_asked(q), &q->query, w->alias,
		       w->count, &r->set.ttl.limits, out)
		 : dns_answer_read(msg, len, &q->query, &r->set.ttl.limits, out);
}

bool question_is_flushed(const struct question *q, uint64_t since_ms, uint64_t now_ms)
{
	struct resolver *r = q->owner;
	return resolver_flush_covers(r, &q->query.name, since_ms, now_ms)
	       || (q->rewrite && resolver_flush_covers(r, question_asked(q), since_ms, now_ms));
}

// Only as long as it has to be: most have one CNAME, and there may be many of them.
static struct rewrite *rewrite_keep(struct resolver *r, const struct rewrite *w)
{
	size_t size = offsetof(struct rewrite, alias) + w->count * sizeof(w->alias[0]);
	struct rewrite *kept = r->rewrites < RESOLVER_REWRITES_MAX ? malloc(size) : NULL;
	if (!kept) {
		r->count.refused_rewrites++;
		return NULL;
	}
	memcpy(kept, w, size);
	age_add(&r->rewrite_ages, &kept->age);
	if (++r->rewrites > r->rewrites_most)
		r->rewrites_most = r->rewrites;
	r->count.rewritten++;
	return kept;
}

// The host of a search engine that a name stands for in a safe view, as one more CNAME.
static int safe_follow(const struct question *q, struct rewrite *w)
{
	const struct dns_name *name = w->count ? &w->alias[w->count - 1].target : &q->query.name;
	struct dns_name target;
	const char *text = NULL;

	if (q->def->is_safe && safe_search_has_type(q->query.qtype))
		text = safe_search_target(name, &q->def->safe);
	if (!text)
		return 0;
	if (dns_name_from_text(text, strlen(text), &target) < 0)
		return -EINVAL;
	return rewrite_add(w, target.wire, target.len, SAFE_CNAME_TTL_S);
}

enum direction { DIRECT_ASK, DIRECT_ALIAS, DIRECT_REFUSE };

// The name and the servers to ask. DIRECT_ALIAS: none, as local CNAMEs are the whole answer.
static enum direction question_direct(struct question *q)
{
	struct resolver *r = q->owner;
	struct rewrite w;

	if (views_rewrite(r->views, q->def, &q->query.name, &w) < 0 || safe_follow(q, &w) < 0)
		return DIRECT_REFUSE;
	if (w.count > 0) {
		q->rewrite = rewrite_keep(r, &w);
		if (!q->rewrite)
			return DIRECT_REFUSE;
		question_note(q, TRACE_renamed, 0);
		if (q->query.qtype == DNS_TYPE_CNAME || q->query.qtype == DNS_TYPE_ANY)
			return DIRECT_ALIAS;
	}
	const struct dns_name *asked = question_asked(q);
	const struct forward_zone *zone = question_zone(r, q->def, asked, q->query.qtype);
	q->l1_hash = zone ? zone->hash : q->def->hash;
	q->turn = views_turn(r->views);
	if (zone) {
		q->forward = zone->set;
		q->forward->questions++;
		r->count.forwarded++;
		question_note(q, TRACE_forwarded, 0);
	}
	return DIRECT_ASK;
}

static void direction_end(struct question *q)
{
	struct resolver *r = q->owner;

	if (q->forward)
		q->forward->questions--;
	q->forward = NULL;
	if (q->rewrite) {
		age_remove(&r->rewrite_ages, &q->rewrite->age);
		r->rewrites--;
	}
	FREE_AND_NULL(q->rewrite);
}

void question_finish(struct question *q, enum refresh_end end)
{
	struct resolver *r = q->owner;

	wheel_stop(&q->timer);
	l1_get_stop(q->look);
	upstream_ask_stop(&q->ask);
	if (q->request)
		refresh_ended(r->refresh, q->request, end, clock_mono_ms());
	q->def->users--;
	direction_end(q);
	if (unlikely_(q->trace))
		traces_finish(r->traces, q->trace);
	inflight_remove(r->inflight, q);
}

void question_ask(struct question *q)
{
	uint8_t wire[UPSTREAM_QUESTION_MAX];
	const struct resolver *r = q->owner;
	const struct dns_name *name = question_asked(q);
	size_t n = name->len;

	memcpy(wire, name->wire, n);
	put_u16(wire + n, q->query.qtype);
	put_u16(wire + n + 2, q->query.qclass);
	const struct upstream_request request = {
		.callbacks = &r->callbacks,
		.question = wire,
		.question_len = (uint16_t)(n + 4),
		.cd = q->key_flags & L0_KEY_CD,
		.dnssec_ok = q->key_flags & L0_KEY_DO,
		.deadline_ms = q->born_ms + QUESTION_LIFE_MS,
	};
	upstream_ask_start(
		q->forward ? q->forward->upstreams : q->def->upstreams, &q->ask, &request);
}

void question_answered(struct question *q, const struct resolver_answer *answer)
{
	resolver_answer_all(q->owner, q, answer);
	question_finish(q, REFRESH_DONE);
}

// SERVFAIL to every waiter, and the question ends.
static void question_refuse(struct question *q, int ede)
{
	struct resolver_answer a = resolver_answer_servfail(ede);
	resolver_answer_all(q->owner, q, &a);
	question_finish(q, REFRESH_FAILED);
}

// Checks an answer, caches it if it may, and sends it to every waiter. `by`: NULL: no server gave
// it.
static void answer_take(struct question *q, const struct dns_answer *answer, bool keep,
	const struct upstream_ask *by, uint64_t now_ms)
{
	struct resolver *r = q->owner;
	const struct dns_answer_view view = dns_answer_view_of(answer);
	struct answer_match finding;

	resolver_check_reply(r, &q->query, answer, &finding);
	if (keep)
		store_answer(r, q, answer, &finding, now_ms, now_ms);
	struct resolver_answer a = resolver_answer_fresh(r, &view, 0);
	a.finding = &finding;
	a.by = by;
	resolver_answer_all(r, q, &a);
}

static void alias_answer(struct question *q)
{
	struct dns_answer answer;

	if (question_read(q, NULL, 0, &answer) < 0) {
		question_refuse(q, DNS_EDE_OTHER);
		return;
	}
	answer_take(q, &answer, !q->def->no_cache, NULL, clock_mono_ms());
	question_finish(q, REFRESH_DONE);
}

void question_start(struct question *q, uint64_t now_ms)
{
	q->def->users++;
	question_wait_begin(q, now_ms);
	switch (question_direct(q)) {
	case DIRECT_REFUSE:
		question_refuse(q, DNS_EDE_OTHER);
		break;
	case DIRECT_ALIAS:
		alias_answer(q);
		break;
	case DIRECT_ASK:
		if (q->def->no_cache || !question_l1_look(q))
			question_ask(q);
	}
}

static struct question *of_ask(struct upstream_ask *a)
{
	return (struct question *)(void *)((char *)a - offsetof(struct question, ask));
}

enum upstream_take question_reply(struct upstream_ask *ask, const uint8_t *msg, size_t len)
{
	struct question *q = of_ask(ask);
	struct resolver *r = q->owner;
	struct dns_answer answer;

	l0_writer_look_ahead(r->l0, q->hash); // needed by the time it is read
	int rc = question_read(q, msg, len, &answer);
	if (rc == -EBADMSG) {
		question_note(q, TRACE_ignored, 0);
		return UPSTREAM_IGNORED;
	}
	if (rc == 0 && answer.truncated) {
		question_note(q, TRACE_truncated, 0);
		return UPSTREAM_TRUNCATED;
	}
	if (rc < 0 || answer.kind == DNS_ANSWER_FAILURE) {
		question_note(q, TRACE_failed, get_u16(msg + 2) & DNS_FLAG_RCODE);
		return UPSTREAM_FAILED;
	}
	bool keep = !q->def->no_cache && views_same_servers(r->views, q->def, q->turn)
		    && !question_is_flushed(q, q->born_ms, ask->replied_ms);
	failures_clear(r->failures, q->hash);
	answer_take(q, &answer, keep, ask, ask->replied_ms);
	if (keep)
		question_l1_store(q, &answer, msg, len); // all waiters have been served
	question_finish(q, REFRESH_DONE);
	return UPSTREAM_TAKEN;
}

void question_failed(struct upstream_ask *ask, enum upstream_end why)
{
	struct question *q = of_ask(ask);
	struct resolver *r = q->owner;
	bool is_network = why == UPSTREAM_END_NETWORK;

	failures_add(r->failures, q->hash, clock_mono_ms());
	question_note(q, TRACE_upstreams_failed, 0);
	if (question_stale_serve(q))
		question_finish(q, REFRESH_FAILED);
	else
		question_refuse(
			q, is_network ? DNS_EDE_NETWORK_ERROR : DNS_EDE_NO_REACHABLE_AUTHORITY);
}

void question_upstream_note(struct upstream_ask *ask, const struct trace_event *e)
{
	const struct question *q = of_ask(ask);
	const struct resolver *r = q->owner;
	if (q->trace)
		traces_note_server(r->traces, q->trace, e);
}

void question_tables(const struct resolver *r, struct table_registry *tables)
{
	table_register(tables,
		&(struct table_info){.name = "rewrites",
			.owner = "resolver loop",
			.eviction = "refuse: SERVFAIL",
			.lifetime = "life of the question",
			TABLE_WORK_FOR(5000),
			.cap = RESOLVER_REWRITES_MAX,
			.used = r->rewrites,
			.bytes = r->rewrites * sizeof(struct rewrite),
			.high = r->rewrites_most,
			.refused = r->count.refused_rewrites,
			.oldest_ms = table_age(age_since(&r->rewrite_ages), clock_mono_ms()),
			.has = TABLE_AGES | TABLE_REFUSES});
}
