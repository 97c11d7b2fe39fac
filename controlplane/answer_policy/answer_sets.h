// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Different sets of lists, each once, by number. Filled by one thread, then read by any. Grows with
// each new set; the caller bounds the number.

#include <weir/rule_image.h>

enum { ANSWER_SET_NONE = 0 }; // number of the empty set

struct answer_sets {
	struct rule_set *set;
	uint32_t count, room;
	uint32_t *index; // hash table of numbers + 1, while it is filled
	uint32_t index_mask;
};

ATTR_MUST_CHECK int answer_sets_init(struct answer_sets *s); // from zeroed; -ENOMEM
void answer_sets_free(struct answer_sets *s);
// The number of a set, a new one if it has none. -ENOMEM.
ATTR_MUST_CHECK int answer_sets_number(
	struct answer_sets *s, const struct rule_set *set, uint32_t *number);
void answer_sets_settle(struct answer_sets *s); // no more are coming: gives spare memory back

static inline void answer_sets_add(
	const struct answer_sets *s, uint32_t number, struct rule_set *to)
{
	for (unsigned w = 0; w < 4; w++)
		to->lists[w] |= s->set[number].lists[w];
}
