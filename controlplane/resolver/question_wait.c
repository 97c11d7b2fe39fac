// SPDX-License-Identifier: BSD-3-Clause
#include "question.h"
#include "resolver_answer.h"
#include "resolver_check.h"
#include "resolver_store.h"

#include <weir/clock.h>

// How long clients wait for a question. At 1.8 s all get the stale answer if there is one (RFC 8767
// 5). Else each waits until its own deadline, limits.answer_deadline_ms after it asked, or until
// the question ends: one that joins late gets the answer that still comes. While more than half of
// all questions are in flight, the deadline is 1.9 s after the question's birth for all, and the
// question ends with it: new questions need its place.

enum { LOOK_MS = 500 }; // at most between two looks at who waits

static void timer_arm(struct question *q, uint64_t at_ms, uint64_t now_ms)
{
	const struct resolver *r = q->owner;
	wheel_start(loop_wheel(r->loop), &q->timer, at_ms > now_ms ? at_ms - now_ms : 0, now_ms);
}

// All waiters get the stale record; workers serve it from here on for a while.
bool question_stale_serve(struct question *q)
{
	struct resolver *r = q->owner;
	const struct l0_key key = inflight_key(q);
	struct answer_match finding;
	struct subnet_key at;
	struct l0_view v;
	uint64_t now_ms = clock_mono_ms();

	if (!store_find_for(r, &key, &q->subnet, &at, &v) || !store_usable(&v, now_ms)) {
		question_note(q, TRACE_stale_none, 0);
		return false;
	}
	question_note(q, TRACE_stale_served, (uint32_t)((now_ms - v.created_ms) / 1000));
	resolver_check_record(r, &v, &finding);
	struct resolver_answer a = resolver_answer_stale_record(r, &v, &finding);
	resolver_answer_all(r, q, &a);
	store_restamp(r, &at.key);
	return true;
}

// At the oldest waiter's deadline, and at `most_ms` at the latest.
static void look_later(struct question *q, uint64_t most_ms, uint64_t now_ms)
{
	const struct resolver *r = q->owner;
	uint64_t due_ms = UINT64_MAX;

	if (q->waiters > 0)
		due_ms = inflight_oldest(r->inflight, q) + r->set.answer_deadline_ms;
	timer_arm(q, due_ms < most_ms ? due_ms : most_ms, now_ms);
}

// SERVFAIL to those whose time is over.
static void time_out(struct question *q, uint64_t now_ms)
{
	struct resolver *r = q->owner;
	struct resolver_answer a = resolver_answer_servfail(DNS_EDE_NO_REACHABLE_AUTHORITY);
	uint64_t arrived_ms =
		now_ms > r->set.answer_deadline_ms ? now_ms - r->set.answer_deadline_ms : 0;

	if (inflight_is_crowded(r->inflight))
		arrived_ms = UINT64_MAX;
	if (q->waiters == 0 || inflight_oldest(r->inflight, q) > arrived_ms)
		return;
	question_note(q, TRACE_servfail_timer, 0);
	resolver_answer_until(r, q, &a, arrived_ms);
}

static void on_timer(void *arg)
{
	struct question *q = arg;
	struct resolver *r = q->owner;
	uint64_t now_ms = clock_mono_ms();

	if (q->stage == STAGE_FIRST) {
		question_note(q, TRACE_stale_timer, 0);
		if (!question_stale_serve(q)) {
			q->stage = STAGE_WAITING;
			look_later(q, q->born_ms + SERVFAIL_AFTER_MS, now_ms);
			return;
		}
	}
	if (q->stage == STAGE_WAITING)
		time_out(q, now_ms);
	if (q->waiters > 0) {
		look_later(q, now_ms + LOOK_MS, now_ms);
		return;
	}
	q->stage = STAGE_BACKGROUND;
	question_note(q, TRACE_left_waiting, 0);
	// A late reply would fill the cache, but waiting clients need its place.
	if (inflight_is_crowded(r->inflight)) {
		question_failure_add(q, now_ms);
		r->count.cut_short++;
		question_finish(q, REFRESH_FAILED);
	}
}

void question_wait_begin(struct question *q, uint64_t now_ms)
{
	const struct resolver *r = q->owner;
	const uint64_t first_ms = r->set.answer_deadline_ms < STALE_AFTER_MS
					  ? r->set.answer_deadline_ms
					  : STALE_AFTER_MS;

	q->timer.fn = on_timer;
	q->timer.arg = q;
	timer_arm(q, q->born_ms + first_ms, now_ms);
}

void question_wait_again(struct question *q, uint64_t now_ms)
{
	if (q->stage != STAGE_BACKGROUND)
		return;
	q->stage = STAGE_WAITING;
	look_later(q, now_ms + LOOK_MS, now_ms);
}
