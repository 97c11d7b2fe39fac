// SPDX-License-Identifier: BSD-3-Clause
#include "dedup.h"

#include <stddef.h>

void dedup_init(struct dedup *r, void *memory)
{
	*r = (struct dedup){.way = memory};
}

// Milliseconds since a way's window began; the low halves wrap every 49 days, which at worst keeps
// one forgotten key silent for one window.
static uint32_t way_age_ms(const struct recent_way *way, uint64_t now_ms)
{
	return (uint32_t)now_ms - way->since_ms;
}

static bool way_is_live(const struct recent_way *way, uint64_t now_ms)
{
	return way->count && way_age_ms(way, now_ms) < DEDUP_WINDOW_MS;
}

// The main lcore counts what is in use (table_report.c), so these two are no plain stores.
static void way_set(struct recent_way *way, uint32_t since_ms, uint32_t count)
{
	__atomic_store_n(&way->since_ms, since_ms, __ATOMIC_RELAXED);
	__atomic_store_n(&way->count, count, __ATOMIC_RELAXED);
}

// The way of `hash`, or else the one to give to it: a free or expired one, or the oldest.
static struct recent_way *find_way(struct dedup *r, uint64_t hash, uint64_t now_ms)
{
	struct recent_way *set = r->way[hash % DEDUP_SETS];
	struct recent_way *victim = &set[0];
	for (unsigned i = 0; i < DEDUP_WAYS; i++) {
		struct recent_way *way = &set[i];
		if (way->hash == hash)
			return way;
		if (!way_is_live(victim, now_ms))
			continue;
		if (!way_is_live(way, now_ms)
			|| way_age_ms(way, now_ms) > way_age_ms(victim, now_ms))
			victim = way;
	}
	return victim;
}

static uint32_t tag_of(uint64_t hash)
{
	return (uint32_t)(hash / DEDUP_SETS) & ((1 << DEDUP_TAG_BITS) - 1);
}

static uint32_t ticket_of(const struct dedup *r, const struct recent_way *way)
{
	const uint32_t set = (uint32_t)(way->hash % DEDUP_SETS);
	const uint32_t number = set * DEDUP_WAYS + (uint32_t)(way - r->way[set]);
	return tag_of(way->hash) << DEDUP_WAY_BITS | number;
}

struct recent_wait dedup_ask(struct dedup *r, uint64_t hash, uint64_t now_ms)
{
	struct recent_way *way = find_way(r, hash, now_ms);
	bool live = way_is_live(way, now_ms);
	if (live && way->hash == hash) {
		uint32_t before = way->count;
		if (before < DEDUP_WAITERS)
			way_set(way, way->since_ms, before + 1);
		return (struct recent_wait){before, ticket_of(r, way)};
	}
	if (live)
		r->replaced++;
	way->hash = hash;
	way_set(way, (uint32_t)now_ms, 1);
	return (struct recent_wait){0, ticket_of(r, way)};
}

void dedup_end(struct dedup *r, uint32_t ticket)
{
	const uint32_t number = ticket & ((1 << DEDUP_WAY_BITS) - 1);
	struct recent_way *way = &r->way[number / DEDUP_WAYS][number % DEDUP_WAYS];
	if (way->count && tag_of(way->hash) == ticket >> DEDUP_WAY_BITS)
		way_set(way, way->since_ms, way->count - 1);
}
