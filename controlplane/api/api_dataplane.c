// SPDX-License-Identifier: BSD-3-Clause
// The data plane's tables and heap, from its statistics.

#include "api_internal.h"

#include <stdlib.h>
#include <weir/stats_read.h>

static_assert((int)STATS_TABLE_AGES == (int)TABLE_AGES);
static_assert((int)STATS_TABLE_EVICTS == (int)TABLE_EVICTS);
static_assert((int)STATS_TABLE_REFUSES == (int)TABLE_REFUSES);

static struct table_info info_of(const struct stats_table_kind *kind)
{
	return (struct table_info){.name = kind->name,
		.owner = "dataplane",
		.eviction = kind->eviction,
		.lifetime = kind->lifetime,
		.has = kind->has,
		.of_dataplane = true};
}

// What the other process wrote of something that makes no sense for the table is left out.
static void info_add(struct table_info *t, const struct stats_table_copy *c)
{
	t->cap += c->cap;
	t->used += c->used;
	t->high += c->high;
	t->bytes += c->bytes;
	t->shared += c->shared;
	t->evicted += t->has & TABLE_EVICTS ? c->evicted : 0;
	t->refused += t->has & TABLE_REFUSES ? c->refused : 0;
	if (t->has & TABLE_AGES && t->oldest_ms < c->oldest_ms)
		t->oldest_ms = c->oldest_ms;
}

static double fill_of(uint64_t used, uint64_t cap)
{
	return cap ? (double)used / (double)cap : 0;
}

static void part_add(struct table_info *t, const struct stats_table_copy *c, unsigned worker)
{
	info_add(t, c);
	t->parts++;
	if (worker && fill_of(c->used, c->cap) <= fill_of(t->fullest_used, t->fullest_cap))
		return;
	t->fullest = worker;
	t->fullest_used = c->used;
	t->fullest_cap = c->cap;
}

void dataplane_tables(
	const struct stats_copy *c, uint64_t answer_ring_full, struct table_registry *tables)
{
	for (unsigned k = 0; k < STATS_WORKER_TABLES; k++) {
		struct table_info t = info_of(&stats_worker_table_kinds[k]);
		for (unsigned w = 0; w < c->workers; w++)
			part_add(&t, &c->worker[w].table[k], w);
		if (k == STATS_dp_answer_ring)
			t.refused = answer_ring_full;
		table_register(tables, &t);
	}
	for (unsigned k = 0; k < STATS_PROCESS_TABLES; k++) {
		struct table_info t = info_of(&stats_process_table_kinds[k]);
		info_add(&t, &c->table[k]);
		table_register(tables, &t);
	}
}

void api_dataplane_tables(
	const struct api *a, const struct resolver_status *s, struct table_registry *tables)
{
	char why[SHM_WHY_MAX];
	const struct shm_paths *paths = publisher_paths(a->deps.publisher);
	struct stats_copy *c = paths ? calloc(1, sizeof *c) : NULL;
	if (c && stats_read(paths, c, why) == 0 && dataplane_state(paths, c) != PROCESS_DOWN)
		dataplane_tables(c, s->answer_ring_full, tables);
	free(c);
}
