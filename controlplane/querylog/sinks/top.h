// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The most active clients and the most popular names: a sink of the query log that counts names,
// clients, blocked names, names that do not exist, names that were slow, and the lists and rules
// that blocked, in tables (topk.h) of fixed size. Blocked queries of each list are counted exactly,
// too, since the start (rule_hits.h).
//
// Counts cover the current period and the one before, so the last TOP_PERIOD_MS to twice that;
// `since_ms` is the exact start. Nothing survives a restart. Clients and names that the log hides
// or excludes are hidden and excluded here too, because rows are the only input; when the log
// begins to hide or exclude others, all counts but the totals and those of lists begin again.
//
// `take` runs on the log thread, top_read on any other; one lock, held for a batch, or while the
// largest items are looked up (TOP_CAP items sorted).

#include "querylog/querylog.h"
#include "topk.h"

#include <weir/rule_image.h>

enum top_kind {
	TOP_NAMES,
	TOP_CLIENTS,
	TOP_BLOCKED,
	TOP_NXDOMAIN,
	TOP_SLOW,
	TOP_LISTS, // lists that blocked queries
	TOP_RULES, // rules that blocked queries, as "list\nrule" (rule_hits.h)
	TOP_KINDS
};
extern const char *const top_kind_names[TOP_KINDS];

enum {
	TOP_CAP = 2048,
	TOP_ITEMS_MAX = 100,
	TOP_TEXT_MAX = 256,
	TOP_PERIOD_MS = 15 * 60 * 1000,
	TOP_SLOW_US = 100 * 1000, // a query that took longer counts as slow
};

struct top;

// `publisher` of the rule image outlives `*out`; NULL: rules are not known. -ENOMEM.
struct publisher;
ATTR_MUST_CHECK int top_open(struct top **out, struct publisher *publisher, uint64_t now_ms);
void top_free(struct top *t); // NULL is fine
struct querylog_sink top_sink(struct top *t);

struct top_item {
	char text[TOP_TEXT_MAX];
	uint64_t count, error; // queries: `count` at most, `count` less `error` at least
};

// Queries since the start, by the weights of rows. Differences of two reads give rates.
struct top_totals {
	uint64_t queries, hits, blocked, upstream, nxdomain, slow; // hits: from L0, L1 or stale
};

struct top_report {
	struct top_totals totals;
	uint64_t since_ms;           // on the clock of now_ms of top_open
	uint64_t queries[TOP_KINDS]; // counted queries of any text
	unsigned count[TOP_KINDS];
	struct top_item item[TOP_KINDS][TOP_ITEMS_MAX];
};
// Reads the `max` largest items of each kind. `out` is large: not on a stack.
void top_read(struct top *t, unsigned max, struct top_report *out);

// Any thread: blocked queries of the list with that title since the start.
uint64_t top_list_hits(struct top *t, const char *title);
// Title and blocked queries of the `i`th list that was counted. False: there are no more lists.
bool top_list_at(struct top *t, unsigned i, char title[RULE_TITLE_MAX], uint64_t *queries);

struct top_size {
	unsigned cap, used;
	uint64_t evicted, since_ms; // since_ms: begin of the older period
	uint64_t lists_left_out;    // queries of titles beyond RULE_HIT_LISTS
	size_t bytes;
};
void top_size(struct top *t, struct top_size *out); // sums over all tables
