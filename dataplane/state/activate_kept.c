// SPDX-License-Identifier: BSD-3-Clause

// Workers that are stuck while others run, and the tables that they keep (activate.h).
//
// What a worker may use is the set that it says it uses, and the one that was handed to it last:
// it may be between its load of next_tables and its store of tables_in_use. So it is handed nothing
// else until it has taken that one, and both stay mapped.

#include "activate.h"

// True if the worker's heartbeat has not moved for ACTIVATE_STUCK_MS of polls.
static bool is_silent(const struct activate_pulse *b, uint64_t now_ms)
{
	return b->beat_ms != 0 && now_ms - b->moved_ms >= ACTIVATE_STUCK_MS;
}

void activate_pulses(struct activate *a, uint64_t now_ms)
{
	// This lcore itself did not run, or the machine was suspended: the workers need as long as
	// we do for their next heartbeat.
	const bool paused = now_ms - a->polled_ms >= ACTIVATE_STUCK_MS / 2;
	bool beats = false;

	a->polled_ms = now_ms;
	for (unsigned i = 0; i < a->src.workers; i++) {
		struct activate_pulse *b = &a->pulse[i];
		uint64_t beat_ms = atomic_load_explicit(
			&a->src.worker[i]->rings->heartbeat_ms, memory_order_relaxed);
		if (paused || beat_ms != b->beat_ms)
			*b = (struct activate_pulse){.beat_ms = beat_ms, .moved_ms = now_ms};
		beats |= beat_ms && now_ms - b->moved_ms < ACTIVATE_STUCK_MS / 2;
	}
	for (unsigned i = 0; i < a->src.workers; i++)
		a->pulse[i].stuck = beats && is_silent(&a->pulse[i], now_ms);
}

static bool has_taken_its_last(const struct worker *w)
{
	return atomic_load_explicit(&w->tables_in_use, memory_order_acquire)
	       == atomic_load_explicit(&w->next_tables, memory_order_relaxed);
}

void activate_hand(struct activate *a, const struct tables_set *set)
{
	if (a->on_hops && set->hops.base != a->hops_base) {
		a->hops_base = set->hops.base;
		a->on_hops(a->on_hops_arg, &set->t.hops);
	}
	for (unsigned i = 0; i < a->src.workers; i++) {
		struct worker *w = a->src.worker[i];
		if (atomic_load_explicit(&w->next_tables, memory_order_relaxed) == &set->t
			|| !has_taken_its_last(w))
			continue;
		atomic_store_explicit(&w->next_tables, &set->t, memory_order_release);
		worker_wake(w);
	}
}

static bool is_held(const struct activate *a, const struct tables_set *set)
{
	for (unsigned i = 0; i < a->src.workers; i++) {
		const struct worker *w = a->src.worker[i];
		if (atomic_load_explicit(&w->tables_in_use, memory_order_acquire) == &set->t
			|| atomic_load_explicit(&w->next_tables, memory_order_relaxed) == &set->t)
			return true;
	}
	return false;
}

void activate_let_go(struct activate *a, struct tables_set *set)
{
	const struct tables_set *others[ACTIVATE_KEPT_MAX + 2];
	unsigned count = 0;

	if (a->current && a->current != set)
		others[count++] = a->current;
	if (a->next)
		others[count++] = a->next;
	for (unsigned i = 0; i < a->kept_count; i++)
		others[count++] = a->kept[i];
	tables_free(set, others, count, &a->src);
}

bool activate_retire(struct activate *a)
{
	struct tables_set *old = a->current;

	if (old && is_held(a, old)) {
		if (a->kept_count == ACTIVATE_KEPT_MAX)
			return false;
		a->kept[a->kept_count++] = old;
	} else if (old) {
		activate_let_go(a, old);
	}
	return true;
}

void activate_sweep(struct activate *a)
{
	for (unsigned i = 0; i < a->kept_count;) {
		struct tables_set *set = a->kept[i];
		if (is_held(a, set)) {
			i++;
			continue;
		}
		a->kept[i] = a->kept[--a->kept_count];
		activate_let_go(a, set);
	}
}
