// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the files of the control API share: its state, one call that waits for another loop, and
// the endpoints. All on the service loop.

#include "api.h"
#include "api_listen.h"
#include "base/json_out.h"
#include "http/http_server.h"
#include "memory/mem_watch.h"
#include "querylog/store/query_reader.h"
#include "why_runner.h"

#include <sys/queue.h>
#include <sys/types.h>

struct api_scrape { // of metrics: the last one; left_out: of all
	uint64_t took_us, bytes, samples, left_out;
};

struct api {
	struct api_deps deps;
	struct http_server *http;
	struct why_runner *whys, *searches; // apart: an export leaves room for explanations
	gid_t group;                        // (gid_t)-1: none
	uint64_t start_ms;
	LIST_HEAD(, api_tail) tails; // api_log_tail.c
	struct mem_watch *watch;
	struct api_scrape scrape;
	struct api_watch *watcher; // NULL: nobody watches
	uint64_t watches_refused;
	uint64_t dumped_ms; // when the last heap dump ended; 0: none
	struct api_listener listener;
};

enum { API_DUMP_SPACE_MS = 2000, API_SHORT_MS = 2000, API_FLUSH_MS = 10000, API_BUILD_MS = 120000 };

void api_health(struct api *a, struct http_exchange *x);
void api_ready(struct api *a, struct http_exchange *x);
void api_errors(struct api *a, struct http_exchange *x);
void api_status(struct api *a, struct http_exchange *x);
void api_watch(struct api *a, struct http_exchange *x);
void api_watch_close(struct api *a);
void api_watch_tables(struct api *a, struct table_registry *tables);
void api_metrics(struct api *a, struct http_exchange *x);
void api_stats(struct api *a, struct http_exchange *x);
void api_cache_get(struct api *a, struct http_exchange *x);
void api_cache_stats(struct api *a, struct http_exchange *x);
void api_cache_flush(struct api *a, struct http_exchange *x);
void api_refresh(struct api *a, struct http_exchange *x);
void api_mem(struct api *a, struct http_exchange *x);
void api_tcp(struct api *a, struct http_exchange *x);
void api_log(struct api *a, struct http_exchange *x);
void api_top(struct api *a, struct http_exchange *x);
void api_why(struct api *a, struct http_exchange *x);
void api_blocklist(struct api *a, struct http_exchange *x);
void api_blocklist_reload(struct api *a, struct http_exchange *x);
void api_blocklist_rollback(struct api *a, struct http_exchange *x);
void api_blocklist_pause(struct api *a, struct http_exchange *x);
void api_blocklist_resume(struct api *a, struct http_exchange *x);
void api_drops(struct api *a, struct http_exchange *x);
void api_drops_add(struct api *a, struct http_exchange *x);
void api_drops_remove(struct api *a, struct http_exchange *x);
void api_groups(struct api *a, struct http_exchange *x);
void api_log_tail(struct api *a, struct http_exchange *x);
void api_log_search(struct api *a, struct http_exchange *x);
void api_toggles(struct api *a, struct http_exchange *x);
void api_set(struct api *a, struct http_exchange *x);
bool api_is_off(const struct api *a, const char *path);
bool api_lists_off(const struct api *a);
void api_heap(struct api *a, struct http_exchange *x);
void api_heap_on(struct api *a, struct http_exchange *x);
void api_heap_off(struct api *a, struct http_exchange *x);
void api_debug_heap(struct api *a, struct http_exchange *x);
void api_threads(struct api *a, struct http_exchange *x);
void api_connections(struct api *a, struct http_exchange *x);
void api_memory_slope(struct api *a, struct http_exchange *x);
void api_memory_history(struct api *a, struct http_exchange *x);
void api_services(struct api *a, struct http_exchange *x);
void api_config_reload(struct api *a, struct http_exchange *x);

struct api_status_call { // a request that waits for the resolver loop
	struct api *api;
	struct http_exchange *exchange;
	void (*done)(void *arg, const struct resolver_status *s);
	bool strict; // of api_ready
	struct frontends_status frontends;
};
// `done` replies and frees its `arg`, an api_status_call.
void api_status_ask(struct api *a, struct http_exchange *x,
	void (*done)(void *arg, const struct resolver_status *s));
void api_status_ask_strict(struct api *a, struct http_exchange *x, bool strict,
	void (*done)(void *arg, const struct resolver_status *s));
// Replies to `arg`, an exchange, with the status of the lists; a failure is a 500.
void api_rules_reply(void *arg, const struct rules_status *r);
// Objects "l0", "redis", "l1" and "flush".
void api_tiers_out(struct json_out *o, struct json_node *root, const struct resolver_status *s);
// api_state.c
struct metrics_text;
void api_state_out(struct json_out *o, struct json_node *root, const struct api *a);
void api_state_degraded(struct json_out *o, struct json_node *degraded, const struct api *a);
void api_state_metrics(struct metrics_text *t, const struct api *a);
void api_redis_out(struct json_out *o, struct json_node *root, const struct resolver_status *s);
// Objects "frontend" and "fallback".
void api_frontend_out(struct json_out *o, struct json_node *root, const struct frontend_status *s);
void api_fallback_out(
	struct json_out *o, struct json_node *root, const struct frontend_udp_status *u);
// Object "query_store", if there is one; its tables are added to `tables`, unless that is NULL.
void api_store_out(struct json_out *o, struct json_node *root, struct table_registry *tables,
	const struct api *a);
// Object "clickhouse", if there is one.
// Adds a text to the list for each thing that is wrong.
void api_clickhouse_degraded(struct json_out *o, struct json_node *degraded, const struct api *a);
void api_outputs_degraded(struct json_out *o, struct json_node *degraded, const struct api *a);
void api_redis_degraded(
	struct json_out *o, struct json_node *degraded, const struct resolver_status *s);
void api_clickhouse_out(struct json_out *o, struct json_node *root, const struct api *a);
// Object "query_log".
void api_log_out(struct json_out *o, struct json_node *root, struct api *a);
void api_log_tables(struct api *a, struct table_registry *tables);
void api_top_tables(struct api *a, struct table_registry *tables);
void api_meter_tables(struct api *a, struct table_registry *tables);
// Object "tail"; everybody is hung up on.
void api_tail_out(struct json_out *o, struct json_node *root, struct api *a);
void api_tail_tables(struct api *a, struct table_registry *tables);
void api_tails_close(struct api *a);
// Those that this loop knows of, behind the resolver's.
void api_all_tables(struct api *a, struct table_registry *tables);
struct stats_copy;
// Those of the data plane, while its statistics are there; "answer ring full" is the resolver's.
void api_dataplane_tables(
	const struct api *a, const struct resolver_status *s, struct table_registry *tables);
void dataplane_tables(
	const struct stats_copy *c, uint64_t answer_ring_full, struct table_registry *tables);
// Array "tables".
void api_tables_out(struct json_out *o, struct json_node *root, const struct table_registry *r);
// Array "paused_groups".
// "failing": a sentence for each list that could not be had.
void api_failing_out(struct json_out *o, struct json_node *n, const struct rules_status *r);
void api_pauses_out(struct json_out *o, struct json_node *root, const struct api *a);
void api_groups_out(struct json_out *o, struct json_node *root, const struct api *a);
// "all_lists" and "lists" of a group; NULL: of everyone else.
void api_group_lists_out(struct json_out *o, struct json_node *n, const struct config *c,
	const struct config_group *g);

// The `name` parameter. False: it has been replied to.
bool api_name(struct http_exchange *x, struct dns_name *out);
// A parameter that fits, "" when absent. False: it has been replied to.
bool api_text(struct http_exchange *x, const char *param, char *out, size_t cap);
// The `name` parameter as the log writes names, with their escapes. False: likewise.
bool api_name_text(struct http_exchange *x, char out[QUERY_NAME_TEXT_MAX]);
// A parameter that is 0 or 1, absent = 0. False: it has been replied to.
bool api_flag(struct http_exchange *x, const char *param, bool *out);
// A parameter of 1 to `max`, digits alone. False: it has been replied to.
bool api_number(struct http_exchange *x, const char *param, unsigned max, unsigned *out);
void api_refuse(struct http_exchange *x, unsigned status, const char *fmt, ...) ATTR_PRINTF(3, 4);
// After a call that was to answer later was refused.
void api_busy(struct http_exchange *x, int err);
