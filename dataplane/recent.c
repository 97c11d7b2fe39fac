// SPDX-License-Identifier: BSD-3-Clause
#include "recent.h"

#include <stddef.h>

void recent_init(struct recent *r, void *memory)
{
	*r = (struct recent){.way = memory};
}

// Milliseconds since a way's window began; the low halves wrap every 49 days, which at worst keeps
// one forgotten key silent for one window.
static uint32_t way_age_ms(const struct recent_way *way, uint64_t now_ms)
{
	return (uint32_t)now_ms - way->since_ms;
}

static bool way_is_live(const struct recent_way *way, uint64_t now_ms)
{
	return way->count && way_age_ms(way, now_ms) < RECENT_WINDOW_MS;
}

// The main lcore counts what is in use (table_report.c), so these two are no plain stores.
static void way_set(struct recent_way *way, uint32_t since_ms, uint32_t count)
{
	__atomic_store_n(&way->since_ms, since_ms, __ATOMIC_RELAXED);
	__atomic_store_n(&way->count, count, __ATOMIC_RELAXED);
}

// The way of `hash`, or else the one to give to it: a free or expired one, or the oldest.
static struct recent_way *find_way(struct recent *r, uint64_t hash, uint64_t now_ms)
{
	struct recent_way *set = r->way[hash % RECENT_SETS];
	struct recent_way *victim = &set[0];
	for (unsigned i = 0; i < RECENT_WAYS; i++) {
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

uint32_t recent_ask(struct recent *r, uint64_t hash, uint64_t now_ms)
{
	struct recent_way *way = find_way(r, hash, now_ms);
	bool live = way_is_live(way, now_ms);
	if (live && way->hash == hash) {
		uint32_t before = way->count;
		way_set(way, way->since_ms, before < UINT32_MAX ? before + 1 : before);
		return before;
	}
	if (live)
		r->replaced++;
	way->hash = hash;
	way_set(way, (uint32_t)now_ms, 1);
	return 0;
}

void recent_take_back(struct recent *r, uint64_t hash)
{
	struct recent_way *set = r->way[hash % RECENT_SETS];
	for (unsigned i = 0; i < RECENT_WAYS; i++) {
		if (set[i].hash == hash && set[i].count) {
			way_set(&set[i], set[i].since_ms, set[i].count - 1);
			return;
		}
	}
}
