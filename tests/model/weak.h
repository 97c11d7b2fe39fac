// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// C11 atomics as far as the models need them, weaker than any machine that the product runs on.
//
// Each location keeps the stores that somebody may still read, each thread a view: the oldest store
// of each location that it may still read, and which accesses to plain memory it knows to have
// happened before. A load takes any store from its view on. Only a release store read by an acquire
// load passes a view on; a sequentially consistent fence joins what stores the thread may read with
// that of all fences before it, both ways (Kang et al., A promising semantics, POPL 2017, without
// promises; that a fence also makes releases and acquires of the relaxed accesses around it is left
// out, which is weaker still). Plain memory (cells) has no stale values: two accesses that nothing
// orders, one of them a write, are a data race, and that is an error. So a load that a processor
// takes early, and a store that it makes late, appear as a stale value or as a race.
//
// A process that dies keeps its view for the next life: its death and its lock lie between.

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#ifndef WEAK_LOCATIONS // a model that needs more defines it first
#define WEAK_LOCATIONS 5
#endif
enum { WEAK_HISTORY = 16, WEAK_THREADS = 3, WEAK_CELLS = 8 };
enum weak_order { RELAXED, RELEASE, ACQUIRE };

struct weak_view {
	uint8_t at[WEAK_LOCATIONS];
	uint32_t knows; // 4 bits a cell: its last write, the last read by each thread
};

struct weak_store {
	struct weak_view view;
	uint32_t value;
};

struct weak {
	struct weak_store store[WEAK_LOCATIONS][WEAK_HISTORY];
	struct weak_view thread[WEAK_THREADS];
	struct weak_view fence;  // what all fences so far have seen
	struct weak_view kernel; // what a doorbell or a greeting on its way brings with it
	uint8_t count[WEAK_LOCATIONS];
	uint8_t users[WEAK_LOCATIONS]; // one bit for each thread that loads or stores it
};

static inline void weak_init(struct weak *w, const uint8_t users[WEAK_LOCATIONS])
{
	memset(w, 0, sizeof(*w));
	memcpy(w->users, users, sizeof(w->users));
	for (unsigned i = 0; i < WEAK_LOCATIONS; i++)
		w->count[i] = 1;
	for (unsigned t = 0; t < WEAK_THREADS; t++)
		w->thread[t].knows = UINT32_MAX;
}

static inline void weak_join(struct weak_view *to, const struct weak_view *from)
{
	for (unsigned i = 0; i < WEAK_LOCATIONS; i++)
		if (to->at[i] < from->at[i])
			to->at[i] = from->at[i];
	to->knows |= from->knows;
}

// Calls `f` on every view there is.
static inline void weak_each_view(
	struct weak *w, void (*f)(struct weak_view *v, uint32_t arg), uint32_t arg)
{
	for (unsigned i = 0; i < WEAK_LOCATIONS; i++)
		for (unsigned k = 0; k < w->count[i]; k++)
			f(&w->store[i][k].view, arg);
	for (unsigned t = 0; t < WEAK_THREADS; t++)
		f(&w->thread[t], arg);
	f(&w->fence, arg);
	f(&w->kernel, arg);
}

static inline void weak_view_shift(struct weak_view *v, uint32_t location)
{
	if (v->at[location])
		v->at[location]--;
}

static inline void weak_view_forget(struct weak_view *v, uint32_t bits)
{
	v->knows &= ~bits;
}

static inline void weak_view_learn(struct weak_view *v, uint32_t bits)
{
	v->knows |= bits;
}

// Drops the stores that no thread can read any more, so that equal states look equal.
static inline void weak_trim(struct weak *w)
{
	for (unsigned i = 0; i < WEAK_LOCATIONS; i++) {
		for (;;) {
			bool wanted = false;
			for (unsigned t = 0; t < WEAK_THREADS; t++)
				wanted |= (w->users[i] >> t & 1) && w->thread[t].at[i] == 0;
			if (wanted || !w->users[i])
				break;
			w->count[i]--;
			memmove(&w->store[i][0], &w->store[i][1],
				w->count[i] * sizeof(struct weak_store));
			memset(&w->store[i][w->count[i]], 0, sizeof(struct weak_store));
			weak_each_view(w, weak_view_shift, i);
		}
	}
}

// How many values a load may return; 0 is the newest.
static inline unsigned weak_options(const struct weak *w, unsigned thread, unsigned location)
{
	return (unsigned)(w->count[location] - w->thread[thread].at[location]);
}

static inline uint32_t weak_peek(const struct weak *w, unsigned location, unsigned option)
{
	return w->store[location][w->count[location] - 1 - option].value;
}

static inline uint32_t weak_load(
	struct weak *w, unsigned thread, unsigned location, unsigned option, enum weak_order order)
{
	unsigned at = w->count[location] - 1 - option;
	struct weak_store *s = &w->store[location][at];
	w->thread[thread].at[location] = (uint8_t)at;
	if (order == ACQUIRE)
		weak_join(&w->thread[thread], &s->view);
	return s->value;
}

static inline void weak_store(
	struct weak *w, unsigned thread, unsigned location, uint32_t value, enum weak_order order)
{
	assert(w->count[location] < WEAK_HISTORY);
	unsigned at = w->count[location]++;
	struct weak_store *s = &w->store[location][at];
	w->thread[thread].at[location] = (uint8_t)at;
	memset(s, 0, sizeof(*s));
	s->value = value;
	if (order == RELEASE)
		s->view = w->thread[thread];
	s->view.at[location] = (uint8_t)at;
}

static inline void weak_fence(struct weak *w, unsigned thread)
{
	for (unsigned i = 0; i < WEAK_LOCATIONS; i++) {
		uint8_t *mine = &w->thread[thread].at[i], *all = &w->fence.at[i];
		*mine = *all = *mine > *all ? *mine : *all;
	}
}

// Both false: a data race.
static inline bool weak_cell_write(struct weak *w, unsigned thread, unsigned cell)
{
	uint32_t bits = UINT32_C(15) << 4 * cell, written = UINT32_C(1) << 4 * cell;
	if ((w->thread[thread].knows & bits) != bits)
		return false;
	weak_each_view(w, weak_view_learn, bits);
	weak_each_view(w, weak_view_forget, written);
	w->thread[thread].knows |= written;
	return true;
}

static inline bool weak_cell_read(struct weak *w, unsigned thread, unsigned cell)
{
	uint32_t read = UINT32_C(2) << (4 * cell + thread), written = UINT32_C(1) << 4 * cell;
	if (!(w->thread[thread].knows & written))
		return false;
	weak_each_view(w, weak_view_forget, read);
	w->thread[thread].knows |= read;
	return true;
}
