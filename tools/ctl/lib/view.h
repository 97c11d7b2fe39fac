// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What `status` and `stats` show: the state of both processes at one time.

#include "ctl.h"
#include "http_get.h"
#include "json_doc.h"

#include <weir/stats_read.h>

struct view {
	enum process_state dataplane, controlplane;
	bool has_stats; // `stats` is filled in: current, or as a dead data plane left it
	char why_stats[SHM_WHY_MAX];
	struct stats_copy *stats;
	struct json_doc *control; // reply of the control plane, or NULL
	char why_control[SHM_WHY_MAX + 32];
	enum http_outcome outcome; // the control plane's reply; HTTP_OK: or it was not asked
};

// Reads the state; `path`: the endpoint of the control API. CTL_OK, or CTL_FAILED after an error
// message: out of memory.
ATTR_MUST_CHECK int view_take(const struct ctl *c, const char *path, struct view *out);
void view_free(struct view *v);

// Reads the data plane's statistics and sets its state: of another box from its control API, of
// this box from shared memory. If this user is no member of runtime.stats_group and may not read
// that, `asks` requests them from the control plane. False: there are no statistics; `why` says
// why.
bool view_stats(const struct ctl *c, bool asks, enum process_state *state, struct stats_copy *out,
	char why[SHM_WHY_MAX]);

// Adds "controlplane" to a JSON document: its state, and its whole reply.
void view_put_controlplane(struct json_node *root, const struct view *v);
// The document of `status --json`. NULL: out of memory.
struct json_doc *view_status_doc(const struct view *v);
// Prints lines such as "data plane     up, pid 12, for 3 min".
void view_print_states(const struct view *v);
// Prints "5 lists: 2 block, 1 allow, 2 answer" from `kinds` of the rules' state.
void view_print_kinds(const struct json_node *rules);
// Prints one line; nothing without Redis.
void view_print_redis(const struct json_node *redis);
// Prints the groups, with the queries of their clients if the data plane's statistics can be read.
void view_print_groups(const struct view *v, const struct json_node *groups);
// Prints one line; nothing without such a socket (fallback.udp).
void view_print_fallback(const struct view *v, const struct json_node *fallback);
// Prints one line; nothing without a query store.
void view_print_store(const struct json_node *store);
void view_print_log(const struct json_node *log); // losses of sinks; nothing without a loss
void view_print_clickhouse(const struct json_node *clickhouse);
// Prints the results of queries on sockets of the control plane.
void view_print_frontend(const struct json_node *front);
void view_print_upstreams(const struct json_node *upstreams);
void view_print_hosts(const struct json_node *hosts); // host names of servers; may be none
