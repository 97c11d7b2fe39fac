// SPDX-License-Identifier: BSD-3-Clause
#include "question.h"

#include "resolver_answer.h"
#include "resolver_check.h"
#include "resolver_flush.h"
#include "resolver_store.h"
#include "upstream/aaaa.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/clock.h>

// The client's question stays what it is in L0 and for the client; upstreams and L1 see the name at
// the end of local CNAMEs and safe search.

const struct dns_name *question_asked(const struct question *q)
{
	return q->rewrite ? &q->rewrite->asked : &q->query.name;
}

int question_read_hops(const struct question *q, const uint8_t *msg, size_t len, unsigned hops,
	struct dns_answer *out)
{
	const struct resolver *r = q->owner;
	const struct rewrite *w = q->rewrite;
	struct dns_chain chain = {.asked = question_asked(q)};

	if (w) {
		chain.before = w->before;
		chain.before_len = w->before_len;
		chain.alias = w->alias;
		chain.count = w->count;
	}
	return dns_answer_read_chain(msg, len, &chain, &q->query, hops, &r->set.ttl.limits, out);
}

int question_read(const struct question *q, const uint8_t *msg, size_t len, struct dns_answer *out)
{
	return question_read_hops(q, msg, len, 0, out);
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
	validators_stop(&q->validation);
	if (end == REFRESH_DONE) // after a failure the other boxes wait, too
		question_l1_unlock(q);
	if (q->request)
		refresh_ended(r->refresh, q->request, end, clock_mono_ms());
	q->def->users--;
	question_direct_end(q);
	if (unlikely_(q->trace))
		traces_finish(r->traces, q->trace);
	inflight_remove(r->inflight, q);
}

void question_failure_add(const struct question *q, uint64_t now_ms)
{
	const struct resolver *r = q->owner;
	failures_add(r->failures, inflight_hash(r->inflight, q->hash, &q->subnet), now_ms);
}

void question_ask(struct question *q)
{
	uint8_t wire[UPSTREAM_QUESTION_MAX];
	const struct resolver *r = q->owner;
	const struct dns_name *name = question_asked(q);
	size_t n = name->len;

	if (question_validates(q)) {
		question_validate(q);
		return;
	}
	memcpy(wire, name->wire, n);
	put_u16(wire + n, question_asked_type(q));
	put_u16(wire + n + 2, q->query.qclass);
	const struct upstream_request request = {
		.callbacks = &r->callbacks,
		.question = wire,
		.question_len = (uint16_t)(n + 4),
		.cd = q->key_flags & L0_KEY_CD,
		.dnssec_ok = q->key_flags & L0_KEY_DO,
		.subnet = q->subnet.version ? &q->subnet : NULL,
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

void question_refuse(struct question *q, int ede)
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
		if (q->rewrite && question_answer_local(q))
			break;
		if (q->def->no_cache || !question_l1_look(q))
			question_ask(q);
	}
}

void question_take(
	struct question *q, const struct dns_answer *answer, const struct question_reply *reply)
{
	struct resolver *r = q->owner;
	bool keep = !q->def->no_cache && views_same_servers(r->views, q->def, q->turn)
		    && !question_is_flushed(q, q->born_ms, reply->at_ms);

	failures_clear(r->failures, inflight_hash(r->inflight, q->hash, &q->subnet));
	bogus_names_clear(&r->bogus_names, q->hash);
	answer_take(q, answer, keep, reply->by, reply->at_ms);
	if (keep && reply->msg && !q->is_scoped) // boxes that share L1 have other clients
		question_l1_store(
			q, answer, reply->msg, reply->len); // all waiters have been served
	question_finish(q, REFRESH_DONE);
}

static struct question *of_ask(struct upstream_ask *a)
{
	return (struct question *)(void *)((char *)a - offsetof(struct question, ask));
}

// Questions of one name for many subnets are many chances for a forged reply (RebirthDay,
// CVE-2025-5994). One with a subnet fits a single one of them, as that is compared. One without
// fits all, so while there are others it only moves the question to TCP, where it cannot be forged.
// What counts is the subnet of the question: its servers may be ones that get none by now.

// In steps, as a lookup goes through all lengths in use (subnet_key.h): rounded up, so it is for
// fewer clients than the server says.
static unsigned scope_kept(const struct upstream_ask *ask)
{
	enum { STEP = 4 };
	const unsigned up = ((unsigned)ask->scope + STEP - 1) / STEP * STEP;

	return up < ask->subnet.prefix_len ? up : ask->subnet.prefix_len;
}

// For whom the answer is. One made of two replies (DNS64) is for whom both are. The scope 0 of a
// reply to a client that hides its address says nothing of the others (RFC 7871 7.3.1).
static void scope_take(struct question *q, const struct upstream_ask *ask)
{
	struct resolver *r = q->owner;

	if (ask->scope == UPSTREAM_NO_SCOPE || (ask->scope == 0 && ask->subnet.prefix_len > 0))
		return;
	r->count.subnet_answers += !q->is_scoped;
	q->is_scoped = true;
	const unsigned scope = scope_kept(ask);
	if (scope > q->scope)
		q->scope = (uint8_t)scope;
	question_note(q, TRACE_scope, q->scope);
}

enum upstream_take question_replied(struct upstream_ask *ask, const uint8_t *msg, size_t len)
{
	struct question *q = of_ask(ask);
	struct resolver *r = q->owner;
	struct dns_answer answer;
	uint8_t made[DNS_MESSAGE_MAX];

	msg = question_dns64_made(q, msg, &len, made);
	l0_writer_look_ahead(r->l0, q->hash); // needed by the time it is read
	int rc = question_read(q, msg, len, &answer);
	if (rc == -EBADMSG) {
		question_note(q, TRACE_ignored, 0);
		return UPSTREAM_IGNORED;
	}
	if (rc == -EPROTO) {
		upstream_ask_stop(ask);
		r->count.unfollowed++;
		question_unanswered(q, DNS_EDE_OTHER);
		return UPSTREAM_TAKEN;
	}
	if (rc == 0 && answer.truncated) {
		question_note(q, TRACE_truncated, 0);
		return UPSTREAM_TRUNCATED;
	}
	if (rc < 0 || answer.kind == DNS_ANSWER_FAILURE) {
		question_note(q, TRACE_failed, get_u16(msg + 2) & DNS_FLAG_RCODE);
		return UPSTREAM_FAILED;
	}
	if (ask->is_unproven && inflight_has_others(r->inflight, q)) {
		question_note(q, TRACE_subnet_missing, 0);
		return UPSTREAM_TRUNCATED;
	}
	scope_take(q, ask);
	if (question_follow(q, msg, len, 0, &answer))
		return UPSTREAM_TAKEN;
	if (question_dns64(q, msg, len, &answer))
		return UPSTREAM_TAKEN;
	// Where weir validates, a question that comes here has CD.
	q->is_secure = ask->trusts_ad && !r->set.validates && !q->dns64_ttl_s
		       && get_u16(msg + 2) & DNS_FLAG_AD;
	answer.authenticated = q->is_secure && !q->rewrite;
	question_take(q, &answer, &(struct question_reply){msg, len, ask, ask->replied_ms});
	return UPSTREAM_TAKEN;
}

void question_failed(struct upstream_ask *ask, enum upstream_end why)
{
	question_unanswered(of_ask(ask), why == UPSTREAM_END_NETWORK
						 ? DNS_EDE_NETWORK_ERROR
						 : DNS_EDE_NO_REACHABLE_AUTHORITY);
}

void question_unanswered(struct question *q, int ede)
{
	question_failure_add(q, clock_mono_ms());
	question_note(q, TRACE_upstreams_failed, 0);
	if (question_stale_serve(q))
		question_finish(q, REFRESH_FAILED);
	else
		question_refuse(q, ede);
}

void question_upstream_note(struct upstream_ask *ask, const struct trace_event *e)
{
	const struct question *q = of_ask(ask);
	const struct resolver *r = q->owner;
	if (q->trace)
		traces_note_server(r->traces, q->trace, e);
}
