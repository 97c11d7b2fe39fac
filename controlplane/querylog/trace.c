// SPDX-License-Identifier: BSD-3-Clause
#include "trace.h"

#include <errno.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/shm_stats.h>

const char *const trace_step_names[TRACE_STEP_COUNT] = {
#define X(name, n, value) #name,
	TRACE_STEPS(X)
#undef X
};

const char *const trace_step_keys[TRACE_STEP_COUNT][2] = {
#define X(name, n, value) {n, value},
	TRACE_STEPS(X)
#undef X
};

const char *const trace_outcome_names[TRACE_OUTCOMES] = {
	[ANSWER_UPSTREAM] = "upstream",
	[ANSWER_CACHED] = "cached",
	[ANSWER_STALE] = "stale",
	[ANSWER_SERVFAIL] = "servfail",
	[ANSWER_BLOCKED] = "blocked",
	[TRACE_NO_ANSWER] = "unanswered",
};

enum { TRACES_LATE_MS = 7000 }; // how long traces may go on after the watch

struct slot {
	bool is_live, is_joined;
	trace_handle next; // next trace of its question's chain
	struct trace trace;
};

struct traces {
	struct slot *slot; // NULL: no watch is active
	struct dp_watch filter;
	trace_put_fn put;
	void *arg;
	unsigned live;
	uint32_t numbers; // traces of queries of the frontend, which number themselves
	uint64_t second;
	unsigned in_second;
	struct traces_counts count;
};

int traces_new(struct traces **out)
{
	struct traces *t = heap_calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	*out = t;
	return 0;
}

void traces_free(struct traces *t)
{
	if (t)
		traces_end(t);
	heap_free(t);
}

int traces_begin(struct traces *t, const struct dp_watch *filter, trace_put_fn put, void *arg)
{
	traces_end(t);
	t->slot = heap_calloc(TRACES_MAX, sizeof(t->slot[0]));
	if (!t->slot)
		return -ENOMEM;
	t->filter = *filter;
	t->put = put;
	t->arg = arg;
	return 0;
}

void traces_end(struct traces *t)
{
	FREE_AND_NULL(t->slot);
	t->live = 0;
}

void traces_beat(struct traces *t, uint64_t now_ms)
{
	if (unlikely_(t->slot) && now_ms > t->filter.until_ms + TRACES_LATE_MS)
		traces_end(t);
}

bool traces_on(const struct traces *t)
{
	return t->slot != NULL;
}

const unsigned *traces_live(const struct traces *t)
{
	return &t->live;
}

// The slot of a handle: its upper half is the id of the watch, the lower half the place, from 1 on.
static struct slot *slot_of(struct traces *t, trace_handle h)
{
	unsigned place = (h & UINT16_MAX) - 1;
	if (!t->slot || h >> 16 != t->filter.id || place >= TRACES_MAX || !t->slot[place].is_live)
		return NULL;
	return &t->slot[place];
}

static uint32_t since(const struct trace *t)
{
	uint64_t now_us = clock_mono_us();
	return now_us > t->arrival_us ? (uint32_t)(now_us - t->arrival_us) : 0;
}

static void event_add(struct trace *t, struct trace_event e)
{
	e.at_us = since(t);
	t->lost += t->count == TRACE_EVENTS_MAX;
	t->count -= t->count == TRACE_EVENTS_MAX;
	t->event[t->count++] = e;
}

static bool is_over_rate(struct traces *t)
{
	uint64_t second = clock_mono_ms() / 1000;
	if (t->second != second)
		t->in_second = 0;
	t->second = second;
	return t->in_second++ >= TRACES_A_SECOND;
}

static bool passes(const struct traces *t, const struct trace *what)
{
	if (what->number)
		return what->number >> 16 == t->filter.id;
	return clock_mono_ms() < t->filter.until_ms && !t->filter.frames
	       && watch_passes_client(&t->filter, what->ip_version, what->client)
	       && watch_passes_name(&t->filter, what->name, what->name_len);
}

static void left_out(struct traces *t, const struct trace *what)
{
	struct trace half = *what;
	half.is_left_out = true;
	half.count = half.lost = 0;
	t->put(t->arg, &half);
}

// A free place; TRACES_MAX: no place is free.
static unsigned place_find(const struct traces *t)
{
	unsigned place = 0;
	while (place < TRACES_MAX && t->slot[place].is_live)
		place++;
	return place;
}

trace_handle traces_start(struct traces *t, const struct trace *what)
{
	if (!t->slot || !passes(t, what))
		return 0;
	unsigned place = is_over_rate(t) ? TRACES_MAX : place_find(t);
	if (place == TRACES_MAX) {
		t->count.left_out++;
		if (what->number && t->in_second <= TRACES_TOLD_A_SECOND)
			left_out(t, what);
		return 0;
	}
	struct slot *s = &t->slot[place];
	*s = (struct slot){.is_live = true};
	s->trace = *what;
	s->trace.count = s->trace.lost = 0;
	s->trace.outcome = TRACE_NO_ANSWER;
	if (!what->number)
		s->trace.number = watch_trace_number(t->filter.id, t->numbers++);
	t->count.begun++;
	if (++t->live > t->count.most)
		t->count.most = t->live;
	event_add(
		&s->trace, (struct trace_event){.step = TRACE_received, .server = LOG_NO_UPSTREAM});
	return (trace_handle)t->filter.id << 16 | (place + 1);
}

void traces_note_server(struct traces *t, trace_handle first, const struct trace_event *e)
{
	for (struct slot *s = slot_of(t, first); s; s = slot_of(t, s->next))
		event_add(&s->trace, *e);
}

void traces_note(
	struct traces *t, trace_handle first, enum trace_step step, unsigned n, uint32_t value)
{
	traces_note_server(t, first,
		&(struct trace_event){.step = (uint8_t)step,
			.n = (uint8_t)(n < UINT8_MAX ? n : UINT8_MAX),
			.server = LOG_NO_UPSTREAM,
			.value = value});
}

uint16_t traces_hand(struct traces *t, trace_handle one)
{
	struct slot *s = slot_of(t, one);
	if (!s)
		return 0;
	s->trace.is_handed = true;
	return (uint16_t)s->trace.number;
}

void traces_answered(struct traces *t, trace_handle one, unsigned outcome, unsigned rcode)
{
	struct slot *s = slot_of(t, one);
	if (!s)
		return;
	s->trace.outcome = (uint8_t)outcome;
	s->trace.is_handed = s->trace.is_handed && outcome != TRACE_NO_ANSWER;
	event_add(&s->trace,
		(struct trace_event){
			.step = outcome == TRACE_NO_ANSWER ? TRACE_unanswered : TRACE_answered,
			.n = (uint8_t)outcome,
			.server = LOG_NO_UPSTREAM,
			.value = rcode});
}

void traces_join(struct traces *t, trace_handle *first, trace_handle one)
{
	struct slot *s = slot_of(t, one);
	if (!s)
		return;
	s->is_joined = true;
	s->next = *first;
	*first = one;
}

// Checks the verdict of a query of the frontend, which no worker has filtered.
static bool is_wanted(const struct traces *t, const struct trace *what)
{
	return what->worker != TRACE_OF_FRONTEND || !t->filter.verdicts
	       || t->filter.verdicts >> what->verdict & 1;
}

static void end_one(struct traces *t, struct slot *s)
{
	event_add(&s->trace, (struct trace_event){.step = TRACE_ended, .server = LOG_NO_UPSTREAM});
	s->is_live = false;
	t->live--;
	if (is_wanted(t, &s->trace))
		t->put(t->arg, &s->trace);
}

void traces_settle(struct traces *t, trace_handle one)
{
	struct slot *s = slot_of(t, one);
	if (s && !s->is_joined)
		end_one(t, s);
}

void traces_finish(struct traces *t, trace_handle first)
{
	struct slot *next;
	for (struct slot *s = slot_of(t, first); s; s = next) {
		next = slot_of(t, s->next);
		end_one(t, s);
	}
}

void traces_counts(const struct traces *t, struct traces_counts *out)
{
	uint64_t oldest_us = 0;
	for (unsigned i = 0; t->slot && i < TRACES_MAX; i++)
		if (t->slot[i].is_live && (!oldest_us || t->slot[i].trace.arrival_us < oldest_us))
			oldest_us = t->slot[i].trace.arrival_us;
	*out = t->count;
	out->is_on = t->slot != NULL;
	out->live = t->live;
	out->since_ms = oldest_us / 1000;
	out->bytes = t->slot ? TRACES_MAX * sizeof(t->slot[0]) : 0;
}
