// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// All that metrics are made of, with so many workers, upstreams and lists, every verdict, type and
// table in use, names as long as they get and nothing but what has to be escaped.

#include "controlplane/api/metrics/metrics.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct metrics_full {
	struct stats_copy stats;
	struct resolver_status resolver;
	struct rules_status rules;
	struct frontends_status frontends;
	struct querylog_status log;
	struct query_store_status store;
	struct table_registry tables;
	struct mem_reading memory;
	struct memory_report growth;
	struct loop_lag_minute lag;
	struct rules_list_status list[RULE_LISTS_MAX];
	char table[TABLES_MAX][16];
};

static inline void metrics_full_took(struct took *t)
{
	for (unsigned b = 0; b < TOOK_BUCKETS; b++)
		t->bucket[b] = UINT32_MAX;
}

static inline void metrics_full_tables(struct metrics_full *f)
{
	for (unsigned i = 0; i < TABLES_MAX; i++) {
		snprintf(f->table[i], sizeof(f->table[i]), "table_%u", i);
		table_register(&f->tables, &(struct table_info){.name = f->table[i],
						   .owner = "test",
						   .eviction = "refused",
						   .lifetime = "for ever",
						   .kind = TABLE_CACHE,
						   .cap = UINT32_MAX,
						   .used = UINT32_MAX,
						   .bytes = UINT32_MAX});
	}
	f->memory.process.rss = 1;
	f->growth.samples = 1;
	f->growth.query_rate = 1;
	f->growth.count = MEMORY_SERIES_MAX;
	for (unsigned i = 0; i < MEMORY_SERIES_MAX; i++) {
		memset(f->growth.slope[i].name, 'm', sizeof(f->growth.slope[i].name) - 1);
		f->growth.slope[i].trend.known = true;
	}
}

static inline struct metrics_full *metrics_full_new(
	unsigned workers, unsigned upstreams, unsigned lists)
{
	assert(workers <= SHM_WORKERS_MAX && upstreams <= CONFIG_UPSTREAMS_MAX);
	assert(lists <= RULE_LISTS_MAX);
	struct metrics_full *f = calloc(1, sizeof(*f));
	f->stats.workers = workers;
	f->stats.ports = STATS_PORTS_MAX;
	f->stats.tsc_hz = 1000000000;
	for (unsigned i = 0; i < workers; i++) {
		f->stats.worker[i].has_rings = true;
		for (unsigned o = 0; o < MBUF_OWNER_VERDICTS + VERDICT_COUNT; o++)
			f->stats.worker[i].mbuf_missing[o] = UINT32_MAX;
	}
	for (unsigned i = 0; i < STATS_PORTS_MAX; i++) {
		f->stats.port[i].is_xdp = true;
		memset(f->stats.port[i].name, 'p', STATS_PORT_NAME - 1);
	}
	for (unsigned i = 0; i < STATS_TYPES; i++)
		f->stats.type[i] = UINT32_MAX;
	for (unsigned i = 0; i < OUTCOME_COUNT; i++)
		metrics_full_took(&f->stats.outcome[i]);
	for (unsigned i = 0; i < STAGE_COUNT; i++)
		metrics_full_took(&f->stats.stage[i]);
	f->resolver.upstream_count = upstreams;
	for (unsigned i = 0; i < upstreams; i++) {
		memset(f->resolver.upstream[i].name, '"', sizeof(f->resolver.upstream[i].name) - 1);
		metrics_full_took(&f->resolver.upstream[i].took);
	}
	for (unsigned v = 0; v < VERDICT_COUNT; v++) {
		f->stats.verdict[v] = UINT32_MAX;
		f->frontends.engine.of[0].verdict[v] = f->frontends.engine.of[1].verdict[v] = 1;
	}
	f->rules.list_count = lists;
	f->rules.lists = f->list;
	for (unsigned i = 0; i < lists; i++) {
		memset(f->list[i].name, '"', sizeof(f->list[i].name) - 1);
		f->list[i].url[0] = 'h';
	}
	metrics_full_tables(f);
	return f;
}

static inline void metrics_full_put(struct metrics_text *t, const struct metrics_full *f)
{
	metrics_dataplane(t, &f->stats);
	metrics_kinds(t, &f->stats);
	metrics_workers(t, &f->stats);
	metrics_ports(t, &f->stats);
	metrics_resolver(t, &f->resolver);
	metrics_answers(t, &f->resolver);
	metrics_upstreams(t, &f->resolver);
	metrics_cache(t, &f->resolver);
	metrics_rules(t, &f->rules);
	metrics_log(t, &f->log);
	metrics_store(t, &f->store);
	metrics_tables(t, &f->tables);
	metrics_accounts(t, &f->memory);
	metrics_growth(t, &f->growth);
	metrics_lag(t, &f->lag, &f->lag, &f->lag);
	metrics_frontends(t, &f->frontends);
}
