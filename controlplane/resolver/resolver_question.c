// SPDX-License-Identifier: BSD-3-Clause
#include "resolver_internal.h"

#include <errno.h>
#include <string.h>
#include <weir/clock.h>

static void question_arm(struct resolver *r, struct question *q, uint64_t at_ms, uint64_t now_ms)
{
	wheel_start(loop_wheel(r->loop), &q->timer, at_ms > now_ms ? at_ms - now_ms : 0, now_ms);
}

// All waiters get the stale record; workers serve it from here on for a while.
static bool question_serve_stale(struct resolver *r, struct question *q)
{
	const struct l0_key key = question_key(q);
	struct answer_match finding;
	struct l0_view v;
	uint64_t now_ms = clock_mono_ms();

	if (!store_find(r, &key, &v) || !store_usable(&v, now_ms)) {
		trace_note(r, q->trace, TRACE_stale_none, 0);
		return false;
	}
	trace_note(r, q->trace, TRACE_stale_served, (uint32_t)((now_ms - v.created_ms) / 1000));
	resolver_checked_record(r, &v, &finding);
	struct resolver_answer a = resolver_answer_stale_record(r, &v, &finding);
	resolver_answer_all(r, q, &a);
	store_restamp(r, &key);
	return true;
}

static void on_question_timer(void *arg)
{
	struct question *q = arg;
	struct resolver *r = q->owner;

	if (q->stage == STAGE_FIRST)
		trace_note(r, q->trace, TRACE_stale_timer, 0);
	if (q->stage == STAGE_FIRST && !question_serve_stale(r, q)) {
		q->stage = STAGE_NO_STALE;
		question_arm(r, q, q->born_ms + SERVFAIL_AFTER_MS, clock_mono_ms());
		return;
	}
	if (q->stage == STAGE_NO_STALE) {
		trace_note(r, q->trace, TRACE_servfail_timer, 0);
		struct resolver_answer a = resolver_answer_servfail(DNS_EDE_NO_REACHABLE_AUTHORITY);
		resolver_answer_all(r, q, &a);
	}
	q->stage = STAGE_BACKGROUND;
	trace_note(r, q->trace, TRACE_left_waiting, 0);
	// A late reply would fill the cache; now its place is worth more to who waits.
	if (inflight_is_crowded(r->inflight)) {
		failures_add(r->failures, q->hash, clock_mono_ms());
		r->count.cut_short++;
		question_finish(r, q, REFRESH_FAILED);
	}
}

void question_finish(struct resolver *r, struct question *q, enum refresh_end end)
{
	wheel_stop(&q->timer);
	l1_get_stop(q->look);
	upstream_ask_stop(&q->ask);
	if (q->request)
		refresh_ended(r->refresh, q->request, end, clock_mono_ms());
	q->def->users--;
	question_direct_end(r, q);
	if (unlikely_(q->trace))
		traces_finish(r->traces, q->trace);
	inflight_remove(r->inflight, q);
}

void question_ask(struct question *q)
{
	uint8_t wire[UPSTREAM_QUESTION_MAX];
	const struct dns_name *name = question_asked(q);
	size_t n = name->len;

	memcpy(wire, name->wire, n);
	put_u16(wire + n, q->query.qtype);
	put_u16(wire + n + 2, q->query.qclass);
	upstream_ask_start(q->forward ? q->forward->upstreams : q->def->upstreams, &q->ask, wire,
		(uint16_t)(n + 4), q->key_flags & L0_KEY_CD, q->key_flags & L0_KEY_DO,
		q->born_ms + QUESTION_LIFE_MS);
}

void question_start(struct resolver *r, struct question *q, uint64_t now_ms)
{
	q->def->users++;
	q->timer.fn = on_question_timer;
	q->timer.arg = q;
	question_arm(r, q, q->born_ms + STALE_AFTER_MS, now_ms);
	if (!question_direct(r, q))
		return;
	if (q->def->no_cache || !question_look(r, q))
		question_ask(q);
}

void question_answered(struct resolver *r, struct question *q, const struct resolver_answer *answer)
{
	resolver_answer_all(r, q, answer);
	question_finish(r, q, REFRESH_DONE);
}

void question_refuse(struct resolver *r, struct question *q, int ede)
{
	struct resolver_answer a = resolver_answer_servfail(ede);
	resolver_answer_all(r, q, &a);
	question_finish(r, q, REFRESH_FAILED);
}

static struct question *question_of(struct upstream_ask *a)
{
	return (struct question *)(void *)((char *)a - offsetof(struct question, ask));
}

enum upstream_take resolver_upstream_reply(struct upstream_ask *ask, const uint8_t *msg, size_t len)
{
	struct question *q = question_of(ask);
	struct resolver *r = q->owner;
	struct dns_answer answer;
	struct answer_match finding;

	l0_prefetch_bucket(l0_writer_reader(r->l0), q->hash); // needed by the time it is read
	int rc = question_read(r, q, msg, len, &answer);
	if (rc == -EBADMSG) {
		trace_note(r, q->trace, TRACE_ignored, 0);
		return UPSTREAM_IGNORED;
	}
	if (rc == 0 && answer.truncated) {
		trace_note(r, q->trace, TRACE_truncated, 0);
		return UPSTREAM_TRUNCATED;
	}
	if (rc < 0 || answer.kind == DNS_ANSWER_FAILURE) {
		trace_note(r, q->trace, TRACE_failed, get_u16(msg + 2) & DNS_FLAG_RCODE);
		return UPSTREAM_FAILED;
	}
	resolver_check_reply(r, &q->query, &answer, &finding);
	bool keep = !q->def->no_cache && views_same_servers(r->views, q->def, q->turn)
		    && !flush_covers(r, q, q->born_ms);
	if (keep)
		store_answer(r, q, &answer, &finding, clock_mono_ms());
	failures_clear(r->failures, q->hash);
	const struct dns_answer_view view = dns_answer_view_of(&answer);
	struct resolver_answer a = resolver_answer_fresh(r, &view, 0);
	a.finding = &finding;
	a.by = ask;
	resolver_answer_all(r, q, &a);
	if (keep)
		l1_store(r, q, &answer, msg, len); // whoever waits has been served
	question_finish(r, q, REFRESH_DONE);
	return UPSTREAM_TAKEN;
}

void resolver_upstream_ended(struct upstream_ask *ask, enum upstream_end why)
{
	struct question *q = question_of(ask);
	struct resolver *r = q->owner;

	failures_add(r->failures, q->hash, clock_mono_ms());
	trace_note(r, q->trace, TRACE_upstreams_failed, 0);
	if (!question_serve_stale(r, q)) {
		struct resolver_answer a = resolver_answer_servfail(
			why == UPSTREAM_END_NETWORK ? DNS_EDE_NETWORK_ERROR
						    : DNS_EDE_NO_REACHABLE_AUTHORITY);
		resolver_answer_all(r, q, &a);
	}
	question_finish(r, q, REFRESH_FAILED);
}
