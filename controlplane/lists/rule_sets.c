// SPDX-License-Identifier: BSD-3-Clause
#include "rule_sets.h"

#include <string.h>
#include <weir/heap_site.h>

struct rule_sets *rule_sets_new(void)
{
	return heap_calloc(1, sizeof(struct rule_sets)); // pages that stay untouched cost nothing
}

static bool within_chunk(const struct rule_set *set)
{
	unsigned chunks = 0;
	for (unsigned i = 0; i < RULE_LISTS_MAX / 8; i++)
		chunks += (set->lists[i / 8] >> i % 8 * 8 & 0xff) != 0;
	return chunks <= 1;
}

// The place of `set` in the index: its own, or the free one where it belongs.
static uint32_t *find_place(struct rule_sets *s, const struct rule_set *set)
{
	uint64_t i = contenthash(set, sizeof(*set)) % RULE_SETS_INDEX;
	while (s->index[i] && memcmp(&s->set[s->index[i] - 1], set, sizeof(*set)) != 0)
		i = (i + 1) % RULE_SETS_INDEX;
	return &s->index[i];
}

// Takes the numbers of unused sets back.
static void recycle(struct rule_sets *s)
{
	bool free_number[RULE_SETS_MAX] = {false};
	for (uint32_t i = 0; i < s->spares; i++)
		free_number[s->spare[i]] = true;
	memset(s->index, 0, sizeof(s->index));
	s->wide = s->idle = 0;
	for (uint32_t id = 0; id < s->numbered; id++) {
		if (free_number[id])
			continue;
		if (s->uses[id] == 0) {
			s->spare[s->spares++] = (uint16_t)id;
			continue;
		}
		*find_place(s, &s->set[id]) = id + 1;
		s->wide += !within_chunk(&s->set[id]);
	}
}

// Moves one use to `set`, of which no use is counted yet. False: no number for it.
static bool intern(struct rule_sets *s, const struct rule_set *set, uint16_t *id)
{
	uint32_t *place = find_place(s, set);
	if (!*place) {
		bool wide = !within_chunk(set);
		bool full = wide && s->wide == RULE_SETS_WIDE;
		// Recycling costs a pass over all sets, so it must bring some back.
		if (full && s->idle > RULE_SETS_WIDE / 16) {
			recycle(s);
			place = find_place(s, set);
			full = s->wide == RULE_SETS_WIDE;
		}
		if (full)
			return false;
		// Wide sets leave room for every other one that there can be.
		assert(s->spares || s->numbered < RULE_SETS_MAX);
		uint32_t fresh = s->spares ? s->spare[--s->spares] : s->numbered++;
		s->set[fresh] = *set;
		s->uses[fresh] = 0;
		s->wide += wide;
		s->idle++;
		*place = fresh + 1;
	}
	*id = (uint16_t)(*place - 1);
	s->idle -= s->uses[*id]++ == 0;
	return true;
}

uint16_t rule_sets_single(struct rule_sets *s, unsigned list, size_t uses)
{
	struct rule_set set = {{0}};
	uint16_t id = 0;
	set.lists[list / 64] = UINT64_C(1) << list % 64;
	bool held = intern(s, &set, &id);
	assert(held && uses > 0);
	(void)held;
	s->uses[id] += (uint32_t)uses - 1;
	return id;
}

bool rule_sets_add(struct rule_sets *s, uint16_t *id, unsigned list)
{
	struct rule_set set = s->set[*id];
	uint16_t from = *id;
	set.lists[list / 64] |= UINT64_C(1) << list % 64;
	if (!intern(s, &set, id))
		return false;
	s->idle += --s->uses[from] == 0;
	return true;
}
