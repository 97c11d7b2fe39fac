// SPDX-License-Identifier: BSD-3-Clause

// The host paused this machine, or restored it from a snapshot: its clocks stood still, and it
// notices that only when its wall clock is corrected. A wrong clock makes the same step. A forward
// step changes only the age of cached records: if the clock was wrong, weir renews some answers
// without need. A step back changes no record, because it would make records younger; the
// validators' keys are fetched again. The shared clock (clock.h) does not step, so no limit, pause
// or question is affected.
//
// The walk goes through the index in slices between which the loop does its work; each record from
// before the step is written again, older by as much. Records that are stored during the walk are
// younger than the step.
#include "resolver_step.h"

#include "resolver_store.h"

#include <event2/event.h>

#include <inttypes.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>

enum { STEP_MIN_MS = 2000 }; // within a beat; slewing a clock moves it by a tenth of that at most

struct steps {
	struct resolver *resolver;
	struct event *slice;
	int64_t wall_ahead_ms; // clock_wall_ahead_ms, at the last beat
	uint64_t owed_ms;      // of steps that no walk has begun with
	bool running;
	uint32_t by_ms;
	uint64_t before_ms; // records made before this, by the shared clock
	uint64_t cursor;    // bucket
};

static void record_age(struct resolver *r, const struct l0_view *v, void *arg)
{
	const struct steps *s = arg;
	struct step_count *count = &r->count.step;
	struct l0_key key;

	if (v->created_ms >= s->before_ms)
		return;
	l0_key_of_view(l0_writer_reader(r->l0), v, &key);
	if (s->before_ms - v->created_ms + s->by_ms >= v->hard_ms)
		count->dropped += l0_writer_delete(r->l0, &key);
	else if (l0_writer_age(r->l0, &key, s->by_ms) == 0)
		count->aged++;
	else
		count->dropped++;
}

// No record lives longer than what fits.
static void walk_begin(struct steps *s)
{
	s->running = true;
	s->by_ms = s->owed_ms < UINT32_MAX ? (uint32_t)s->owed_ms : UINT32_MAX;
	s->owed_ms = 0;
	s->before_ms = clock_mono_ms();
	s->cursor = 0;
	event_add(s->slice, &(struct timeval){0});
}

static void on_slice(evutil_socket_t, short, void *arg)
{
	struct steps *s = arg;

	if (!store_walk(s->resolver, &s->cursor, record_age, s)) {
		event_add(s->slice, &(struct timeval){0});
		return;
	}
	s->running = false;
	if (s->owed_ms)
		walk_begin(s);
}

static void step_back(struct resolver *r, int64_t by_ms)
{
	if (r->index == 0)
		log_warning("the wall clock jumped back by %" PRId64
			    " ms; DNSSEC keys are fetched again",
			by_ms);
	validators_forget(r->validators);
}

void resolver_step_beat(struct resolver *r)
{
	struct steps *s = r->steps;
	int64_t ahead_ms = clock_wall_ahead_ms(s->wall_ahead_ms);
	int64_t step_ms = ahead_ms - s->wall_ahead_ms;

	s->wall_ahead_ms = ahead_ms;
	if (step_ms <= -STEP_MIN_MS)
		step_back(r, -step_ms);
	if (step_ms < STEP_MIN_MS)
		return;
	if (r->index == 0)
		log_warning("the wall clock jumped forward by %" PRId64
			    " ms; cached records age by as much",
			step_ms);
	r->count.step.steps++;
	r->count.step.stepped_ms += (uint64_t)step_ms;
	s->owed_ms += (uint64_t)step_ms;
	if (!s->running)
		walk_begin(s);
}

int resolver_step_open(struct resolver *r)
{
	struct steps *s = heap_calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	r->steps = s;
	s->resolver = r;
	s->wall_ahead_ms = clock_wall_ahead_ms(0);
	s->slice = event_new(loop_base(r->loop), -1, 0, on_slice, s);
	return s->slice ? 0 : -ENOMEM;
}

void resolver_step_close(struct resolver *r)
{
	if (r->steps && r->steps->slice)
		event_free(r->steps->slice);
	FREE_AND_NULL(r->steps);
}
