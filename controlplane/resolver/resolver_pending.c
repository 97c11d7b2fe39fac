// SPDX-License-Identifier: BSD-3-Clause
// A list of the questions in flight, for who wants to know what waits for what.
#include "resolver_internal.h"

#include <weir/clock.h>

static enum pending_step step_of(const struct question *q, const struct upstream_progress *p)
{
	static const uint8_t steps[] = {
		[UPSTREAM_STEP_NONE] = PENDING_none,
		[UPSTREAM_STEP_UDP] = PENDING_udp,
		[UPSTREAM_STEP_CONNECTION] = PENDING_connection,
		[UPSTREAM_STEP_TCP] = PENDING_tcp,
		[UPSTREAM_STEP_LATE] = PENDING_late,
	};
	if (q->validation)
		return PENDING_validation;
	return q->look ? PENDING_l1 : (enum pending_step)steps[p->step];
}

static void question_fill(struct pending_question *out, const struct question *q, uint64_t now_us)
{
	const struct upstream_progress p = upstream_ask_progress(&q->ask);
	const uint64_t born_us = q->born_ms * 1000;

	*out = (struct pending_question){
		.name = q->query.name,
		.qtype = q->query.qtype,
		.view = q->view,
		.is_renewal = q->request != NULL,
		.clients = q->waiters,
		.step = step_of(q, &p),
		.server = p.server,
		.attempts = p.sends,
		.age_ms = now_us > born_us ? (now_us - born_us) / 1000 : 0,
		.waited_ms = p.since_us && now_us > p.since_us ? (now_us - p.since_us) / 1000 : 0,
	};
}

void resolver_pending(const struct resolver *r, unsigned limit, struct pending_question *room,
	struct resolver_pending *out)
{
	const struct inflight *f = r->inflight;
	const uint64_t now_us = clock_mono_us();
	struct inflight_stats stats;
	const struct question *q = NULL;

	inflight_stats(f, &stats);
	*out = (struct resolver_pending){
		.total = stats.questions, .clients = stats.waiters, .question = room};
	while (out->count < limit && (q = inflight_younger(f, q)))
		question_fill(&room[out->count++], q, now_us);
}
