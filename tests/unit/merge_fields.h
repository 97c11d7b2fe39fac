// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Is each field of a struct in its merge? Every byte is changed by itself in what is added, and in
// the sum: a field is merged if either changes the result other than by the byte itself. So a new
// counter that nobody merges fails, and so does one that a list below names and that is merged.
//
//	const struct merge_left left[] = {MERGE_KEPT(struct x, name), ...};
//	MERGE_CHECK(struct x, x_add, left, ARRAY_LEN(left), &x_sum, &x_one);
//
// The two begin as the test's own x_sum and x_one: with what makes the merge look at a field, as
// one name, or a later time for the latest error.

#include "tests/unit/unit.h"

#include <stddef.h>
#include <string.h>

// What stands behind a designated one has no braces in MERGE_GAP, whatever it is.
#pragma GCC diagnostic ignored "-Wmissing-braces"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

// A row of a list of figures: the field, its values in the test's own `sum` and `one`, and what the
// sum is then.
//
//	#define FIGURES(X) X(misses, 10, 5, 15) X(...)
//	FIGURES(MERGE_SET) x_add(&sum, &one); FIGURES(MERGE_IS)
#define MERGE_SET(field, of_sum, of_one, both) sum.field = (of_sum), one.field = (of_one);
#define MERGE_IS(field, of_sum, of_one, both)                                       \
	if (sum.field != (both))                                                    \
		fail_msg("%s: %lld of %lld and %lld", #field, (long long)sum.field, \
			(long long)(of_sum), (long long)(of_one));

struct merge_left {
	size_t at, size;
	bool is_apart;
};
#define MERGE_FIELD(type, field) offsetof(type, field), sizeof(((type *)0)->field)
// The same for all, or of the process: the first one's.
#define MERGE_KEPT(type, field)                 \
	{                                       \
		MERGE_FIELD(type, field), false \
	}
// A place in an array, or what has a test of its own.
#define MERGE_APART(type, field)               \
	{                                      \
		MERGE_FIELD(type, field), true \
	}
// The padding between two that stand one behind the other: so the value behind the first one's is
// the second one's. A field between them is none, and then no byte is left out.
#define MERGE_GAP(type, first, second)                                           \
	{                                                                        \
		offsetof(type, first) + sizeof(((type *)0)->first),              \
			((const type){.first = 1, 2}).second != 2                \
				? 0                                              \
				: offsetof(type, second) - offsetof(type, first) \
					  - sizeof(((type *)0)->first),          \
			true                                                     \
	}

// The padding behind the last one.
#define MERGE_END(type, last)                                                                      \
	{                                                                                          \
		offsetof(type, last) + sizeof(((type *)0)->last),                                  \
			((const struct {                                                           \
				type all;                                                          \
				unsigned behind;                                                   \
			}){.all.last = 1, 2})                                                      \
						.behind                                            \
					!= 2                                                       \
				? 0                                                                \
				: sizeof(type) - offsetof(type, last) - sizeof(((type *)0)->last), \
			true                                                                       \
	}

struct merge_probe {
	const char *type;
	size_t size;
	const uint8_t *sum, *one;
	uint8_t *a, *b, *base; // room
	const struct merge_left *left;
	size_t left_count;
	void (*merge)(void *sum, const void *one);
};

// Does the byte matter, added or in the sum?
static inline bool merge_heeds(const struct merge_probe *p, size_t at)
{
	bool heeded = false;
	for (unsigned side = 0; side < 2; side++) {
		memcpy(p->a, p->sum, p->size);
		memcpy(p->b, p->one, p->size);
		uint8_t *changed = side ? &p->a[at] : &p->b[at];
		*changed ^= 1;
		p->merge(p->a, p->b);
		p->base[at] ^= (uint8_t)side;
		heeded |= memcmp(p->a, p->base, p->size) != 0;
		p->base[at] ^= (uint8_t)side;
	}
	return heeded;
}

static inline const struct merge_left *merge_left_at(const struct merge_probe *p, size_t at)
{
	for (size_t i = 0; i < p->left_count; i++)
		if (at - p->left[i].at < p->left[i].size)
			return &p->left[i];
	return NULL;
}

static inline void merge_check(const struct merge_probe *p)
{
	unsigned wrong = 0;

	memcpy(p->base, p->sum, p->size);
	p->merge(p->base, p->one);
	for (size_t at = 0; at < p->size; at++) {
		const struct merge_left *l = merge_left_at(p, at);
		if ((l && l->is_apart) || merge_heeds(p, at) == !l)
			continue;
		wrong++;
		print_error("%s: byte %zu is %s\n", p->type, at,
			l ? "in a list of those that are not merged, and is merged"
			  : "in no merge");
	}
	assert_int_equal(wrong, 0);
}

#define MERGE_CHECK(type_, merge_, left_, count_, sum_, one_)      \
	do {                                                       \
		static type_ a_, b_, base_;                        \
		const struct merge_probe probe_ = {.type = #type_, \
			.size = sizeof(type_),                     \
			.sum = (const uint8_t *)(sum_),            \
			.one = (const uint8_t *)(one_),            \
			.a = (uint8_t *)&a_,                       \
			.b = (uint8_t *)&b_,                       \
			.base = (uint8_t *)&base_,                 \
			.left = (left_),                           \
			.left_count = (count_),                    \
			.merge = (merge_)};                        \
		merge_check(&probe_);                              \
	} while (0)
