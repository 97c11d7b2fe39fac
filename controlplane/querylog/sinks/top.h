// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The most active clients and the most popular names: a sink of the query log that counts names,
// clients, blocked names, names that do not exist, and names that were slow, in tables (topk.h)
// of fixed size.
//
// Counts cover the current period and the one before, so the last TOP_PERIOD_MS to twice that;
// `since_ms` is the exact start. Nothing survives a restart. Clients and names that the log hides
// or excludes are hidden and excluded here too, because rows are the only input.
//
// `take` runs on the log thread, top_read on any other; one lock, held for a batch, or while the
// largest are looked up (TOP_CAP items sorted).

#include "querylog/querylog.h"
#include "topk.h"

enum top_kind { TOP_NAMES, TOP_CLIENTS, TOP_BLOCKED, TOP_NXDOMAIN, TOP_SLOW, TOP_KINDS };
extern const char *const top_kind_names[TOP_KINDS];

enum {
	TOP_CAP = 2048,
	TOP_ITEMS_MAX = 100,
	TOP_TEXT_MAX = 256,
	TOP_PERIOD_MS = 15 * 60 * 1000,
	TOP_SLOW_US = 100 * 1000, // a query that took longer counts as slow
};

struct top;

ATTR_MUST_CHECK int top_open(struct top **out, uint64_t now_ms); // -ENOMEM
void top_free(struct top *t);                                    // NULL is fine
struct querylog_sink top_sink(struct top *t);

struct top_item {
	char text[TOP_TEXT_MAX];
	uint64_t count, error; // queries: `count`, less `error` at most
};

struct top_report {
	uint64_t since_ms;           // of the same clock as now_ms
	uint64_t queries[TOP_KINDS]; // counted queries of any text
	unsigned count[TOP_KINDS];
	struct top_item item[TOP_KINDS][TOP_ITEMS_MAX];
};
// The `max` largest of each kind. `out` is large: not on a stack.
void top_read(struct top *t, unsigned max, struct top_report *out);

struct top_size {
	unsigned cap, used;
	uint64_t evicted, since_ms; // since_ms: the older pane began
	size_t bytes;
};
void top_size(struct top *t, struct top_size *out); // of all tables
