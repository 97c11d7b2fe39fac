// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A table's entries in the order in which they came, so that the age of the oldest is known without
// a search. A link is a part of the entry. One thread.

#include <stdint.h>
#include <weir/clock.h>

struct age_link {
	struct age_link *older, *newer;
	uint64_t since_ms; // clock_mono_ms
};
struct age_list { // starts zeroed
	struct age_link *oldest, *newest;
};

static inline void age_add_at(struct age_list *l, struct age_link *k, uint64_t now_ms)
{
	*k = (struct age_link){.older = l->newest, .since_ms = now_ms};
	*(l->newest ? &l->newest->newer : &l->oldest) = k;
	l->newest = k;
}

static inline void age_add(struct age_list *l, struct age_link *k)
{
	age_add_at(l, k, clock_mono_ms());
}

static inline void age_remove(struct age_list *l, struct age_link *k)
{
	*(k->older ? &k->older->newer : &l->oldest) = k->newer;
	*(k->newer ? &k->newer->older : &l->newest) = k->older;
}

// When the oldest entry came; 0: the list is empty.
static inline uint64_t age_since(const struct age_list *l)
{
	return l->oldest ? l->oldest->since_ms : 0;
}

// The earlier of two times; a time of 0 does not count.
static inline uint64_t age_earlier(uint64_t a, uint64_t b)
{
	return !a || (b && b < a) ? b : a;
}
