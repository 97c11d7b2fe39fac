// SPDX-License-Identifier: BSD-3-Clause
#include "question.h"

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

void question_finish(struct question *q, enum refresh_end end)
{
	struct resolver *r = q->owner;

	wheel_stop(&q->timer);
	l1_get_stop(q->look);
	upstream_ask_stop(&q->ask);
	if (q->request)
		refresh_ended(r->refresh, q->request, end, clock_mono_ms());
	q->def->users--;
	question_direct_end(q);
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
	put_u16(wire + n, q->dns64_ttl_s ? DNS_TYPE_A : q->query.qtype);
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

	resolver_check_reply(r, q->def, &q->query, answer, &finding);
	if (keep)
		store_answer(r, q, answer, &finding, now_ms, now_ms);
	struct resolver_answer a = resolver_answer_fresh(r, &view, 0);
	a.finding = &finding;
	a.by = by;
	resolver_answer_all(r, q, &a);
}

// Without asking a server: by CNAMEs alone, or by a message that weir has made.
static void own_answer(struct question *q, const uint8_t *msg, size_t len)
{
	struct dns_answer answer;

	if (question_read(q, msg, len, &answer) < 0) {
		question_refuse(q, DNS_EDE_OTHER);
		return;
	}
	answer_take(q, &answer, !q->def->no_cache, NULL, clock_mono_ms());
	question_finish(q, REFRESH_DONE);
}

static void no_aaaa_answer(struct question *q)
{
	uint8_t msg[DNS_HEADER_LEN + 2 * (DNS_NAME_MAX + 4) + 64];
	struct resolver *r = q->owner;

	r->count.filtered_aaaa++;
	own_answer(q, msg, aaaa_none(question_asked(q), msg, sizeof(msg)));
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
		own_answer(q, NULL, 0);
		break;
	case DIRECT_NO_AAAA:
		no_aaaa_answer(q);
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

// DNS64 applies to who does not validate (RFC 6147 5.5), where there is no AAAA but may be an A.
static bool wants_a(const struct question *q, const uint8_t *msg, size_t len)
{
	const uint8_t validates = L0_KEY_DO | L0_KEY_CD;
	return question_is_aaaa(q) && q->def->ipv6.dns64.version && !q->dns64_ttl_s
	       && (q->key_flags & validates) != validates && aaaa_is_empty(msg, len);
}

static enum upstream_take ask_a(struct question *q, const struct dns_answer *no_aaaa)
{
	struct resolver *r = q->owner;
	bool is_known = no_aaaa->kind == DNS_ANSWER_NODATA && no_aaaa->auth_ttl_s;

	q->dns64_ttl_s = is_known ? no_aaaa->auth_ttl_s : AAAA_TTL_MAX_S;
	r->count.dns64++;
	question_note(q, TRACE_dns64, 0);
	upstream_ask_stop(&q->ask);
	question_ask(q);
	return UPSTREAM_TAKEN;
}

enum upstream_take question_reply(struct upstream_ask *ask, const uint8_t *msg, size_t len)
{
	struct question *q = of_ask(ask);
	struct resolver *r = q->owner;
	struct dns_answer answer;
	uint8_t made[DNS_MESSAGE_MAX];

	if (q->dns64_ttl_s) {
		len = aaaa_made(&q->def->ipv6.dns64, msg, len, q->dns64_ttl_s, made, sizeof(made));
		msg = made;
	}
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
	if (wants_a(q, msg, len))
		return ask_a(q, &answer);
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
