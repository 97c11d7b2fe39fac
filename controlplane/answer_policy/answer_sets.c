// SPDX-License-Identifier: BSD-3-Clause
#include "answer_sets.h"

#include <errno.h>
#include <string.h>
#include <weir/heap_site.h>

enum { ROOM_FIRST = 64 };

static uint32_t place_of(const struct answer_sets *s, const struct rule_set *set)
{
	uint32_t at = (uint32_t)contenthash(set, sizeof(*set)) & s->index_mask;
	while (s->index[at] && memcmp(&s->set[s->index[at] - 1], set, sizeof(*set)) != 0)
		at = (at + 1) & s->index_mask;
	return at;
}

// Twice the room, the index at most half full.
static int grow(struct answer_sets *s)
{
	uint32_t room = s->room ? 2 * s->room : ROOM_FIRST;
	struct rule_set *set = heap_realloc(s->set, room * sizeof(*set));
	if (!set)
		return -ENOMEM;
	s->set = set;
	uint32_t *index = heap_calloc(2 * (size_t)room, sizeof(*index));
	if (!index)
		return -ENOMEM;
	FREE_AND_NULL(s->index);
	s->index = index;
	s->index_mask = 2 * room - 1;
	s->room = room;
	for (uint32_t i = 0; i < s->count; i++)
		s->index[place_of(s, &s->set[i])] = i + 1;
	return 0;
}

int answer_sets_number(struct answer_sets *s, const struct rule_set *set, uint32_t *number)
{
	if (s->count == s->room) {
		int rc = grow(s);
		if (rc < 0)
			return rc;
	}
	uint32_t at = place_of(s, set);
	if (!s->index[at]) {
		s->set[s->count++] = *set;
		s->index[at] = s->count;
	}
	*number = s->index[at] - 1;
	return 0;
}

int answer_sets_init(struct answer_sets *s)
{
	const struct rule_set none = {{0}};
	uint32_t number;
	return answer_sets_number(s, &none, &number);
}

void answer_sets_settle(struct answer_sets *s)
{
	FREE_AND_NULL(s->index);
	struct rule_set *less = heap_realloc(s->set, s->count * sizeof(*less));
	if (less) {
		s->set = less;
		s->room = s->count;
	}
}

void answer_sets_free(struct answer_sets *s)
{
	FREE_AND_NULL(s->set);
	FREE_AND_NULL(s->index);
	*s = (struct answer_sets){0};
}
