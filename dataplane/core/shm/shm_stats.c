// SPDX-License-Identifier: BSD-3-Clause

#include <weir/shm_stats.h>
#include <weir/stats_read.h>

#define X_NAME(name, text) #name,
#define X_TEXT(name, text) text,

const char *const verdict_names[VERDICT_COUNT] = {VERDICT_LIST(X_NAME)};
const char *const verdict_texts[VERDICT_COUNT] = {VERDICT_LIST(X_TEXT)};
const char *const counter_names[COUNTER_COUNT] = {COUNTER_LIST(X_NAME)};
const char *const steer_counter_names[STEER_COUNTERS] = {STEER_COUNTER_LIST(X_NAME)};
const char *const stage_names[STAGE_COUNT] = {
#define X(name) #name,
	STAGE_LIST(X)
#undef X
};
const char *const outcome_names[OUTCOME_COUNT] = {OUTCOME_LIST(X_NAME)};
const char *const bench_mode_names[BENCH_MODES] = {"off", "reflect", "alternate"};
const char *const port_feature_names[PORT_FEATURE_COUNT] = {PORT_FEATURE_LIST(X_NAME)};
const char *const port_feature_texts[PORT_FEATURE_COUNT] = {PORT_FEATURE_LIST(X_TEXT)};
const char *const counter_texts[COUNTER_COUNT] = {COUNTER_LIST(X_TEXT)};

const struct stats_table_kind stats_worker_table_kinds[STATS_WORKER_TABLES] = {
#define X(name, kind, has, eviction, lifetime) {#name, eviction, lifetime, has, STATS_TABLE_##kind},
	STATS_WORKER_TABLE_LIST(X)
#undef X
};
const struct stats_table_kind stats_process_table_kinds[STATS_PROCESS_TABLES] = {
#define X(name, kind, has, eviction, lifetime) {#name, eviction, lifetime, has, STATS_TABLE_##kind},
	STATS_PROCESS_TABLE_LIST(X)
#undef X
};
