// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A box (l0_fixture.h) until the end of a case, its audit and what its writers count.

#include "l0_audit.h"
#include "l0_fixture.h"
#include "tests/unit/unit.h"

static inline void box_end(void *b)
{
	box_close(b);
	free(b);
}

static inline struct box *box_new_for(uint64_t bytes, unsigned mean_units, unsigned writers)
{
	struct box *b = malloc(sizeof(*b));
	assert_non_null(b);
	assert_true(box_open_for(b, bytes, mean_units, writers));
	unit_at_end(box_end, b);
	return b;
}

static inline struct box *box_new(uint64_t bytes, unsigned mean_units)
{
	return box_new_for(bytes, mean_units, 1);
}

// The record of an id that must be there, and its number.
static inline uint32_t box_find(const struct box *b, uint32_t id, struct l0_view *v)
{
	uint32_t number;
	assert_true(box_get(l0_writer_reader(b->w), id, v, &number));
	return number;
}

static inline uint32_t record_of(const struct box *b, uint32_t id)
{
	return box_find(b, id, &(struct l0_view){0});
}

static inline uint32_t heat_of(const struct box *b, uint32_t id)
{
	struct box_name n;
	const struct l0_key key = box_key(l0_writer_reader(b->w), id, &n);
	return l0_writer_heat(box_writer(b, key.hash), &key);
}

static inline void audit(const struct box *b)
{
	char why[128] = "";
	for (unsigned i = 0; i < b->writers; i++)
		if (l0_audit(b->all[i], why) != 0)
			fail_msg("audit of writer %u: %s", i, why);
}

static inline struct l0_writer_stats stats_of(const struct box *b)
{
	struct l0_writer_stats all = {0};
	for (unsigned i = 0; i < b->writers; i++) {
		struct l0_writer_stats s;
		l0_writer_stats(b->all[i], &s);
		// All are counts but the first, which is the least.
		all.oldest_ms = i && all.oldest_ms < s.oldest_ms ? all.oldest_ms : s.oldest_ms;
		uint64_t *sum = (uint64_t *)&all, *one = (uint64_t *)&s;
		for (size_t k = 1; k < sizeof(s) / sizeof(*sum); k++)
			sum[k] += one[k];
	}
	return all;
}
