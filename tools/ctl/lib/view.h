// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What `status` and `stats` look at: both processes at one moment.

#include "ctl.h"
#include "json_doc.h"

#include <weir/stats_read.h>

struct view {
	enum process_state dataplane, controlplane;
	bool has_stats; // `stats` is filled in: now, or as a dead data plane left it
	char why_stats[SHM_WHY_MAX];
	struct stats_copy *stats;
	struct json_doc *control; // reply of the control plane, or NULL
	char why_control[SHM_WHY_MAX + 32];
};

// `path`: the endpoint to ask. CTL_OK, or CTL_FAILED (out of memory, said).
ATTR_MUST_CHECK int view_take(const struct ctl *c, const char *path, struct view *out);
void view_free(struct view *v);

// The data plane's statistics and its state: of another box from its control API; of this one as
// the data plane writes them. Where this user may not read that, as no member of
// runtime.stats_group, `asks` has the control plane tell them. False: there are none; `why` says
// why. `*state` is set.
bool view_stats(const struct ctl *c, bool asks, enum process_state *state, struct stats_copy *out,
	char why[SHM_WHY_MAX]);

// "controlplane" in a document for machines: its state, and all that it said.
void view_put_controlplane(struct json_node *root, const struct view *v);
// What `status --json` prints. NULL: out of memory.
struct json_doc *view_status_doc(const struct view *v);
// "data plane     up, pid 12, for 3 min" and the like, one line each, on stdout.
void view_print_states(const struct view *v);
// "5 lists: 2 block, 1 allow, 2 answer", of `kinds` in an object that has the rules' state.
void view_print_kinds(const struct json_node *rules);
// One line; nothing when there is no Redis.
void view_print_redis(const struct json_node *redis);
// With the queries of their clients, as far as the data plane's statistics can be read.
void view_print_groups(const struct view *v, const struct json_node *groups);
// One line; nothing where there is no such socket (fallback.udp).
void view_print_fallback(const struct view *v, const struct json_node *fallback);
// One line; nothing without a query store.
void view_print_store(const struct json_node *store);
void view_print_log(const struct json_node *log); // what sinks lost; nothing where none did
void view_print_clickhouse(const struct json_node *clickhouse); // of ClickHouse
// What came of each query on a socket of the control plane.
void view_print_frontend(const struct json_node *front);
void view_print_upstreams(const struct json_node *upstreams);
void view_print_hosts(const struct json_node *hosts); // host names of servers; may be none
