// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The names queried most, the most active clients, and what was blocked, over a span of the query
// store, by hour too. Runs on a helper thread and reads files as query_search.h does, the newest
// first.
//
// Bounds: `for_ms` of time (then the report covers less, from covered_us on); 24 MiB for the names
// of one file, of which the first QUERY_TOP_FILE_NAMES distinct ones count; bags of texts
// (query_bag.h). What is left out is counted.

#include "query_bag.h"
#include "query_search.h"

#include <stdatomic.h>

enum {
	QUERY_TOP_MS = 6000,
	QUERY_TOP_ITEMS_MAX = 100,
	QUERY_TOP_HOURS_MAX = 31 * 24 + 1, // 31 days over the end of summer time
	// A span begins and ends within an hour, and rows of the hour before may belong to it.
	QUERY_TOP_HOURS_ROOM = QUERY_TOP_HOURS_MAX + 3,
	QUERY_TOP_FILE_NAMES = 1 << 18,
	QUERY_TOP_FILE_OTHERS = 1 << 14,
};

enum query_top_of {
	QUERY_TOP_names,
	QUERY_TOP_clients,
	QUERY_TOP_lists,
	QUERY_TOP_groups,
	QUERY_TOP_BAGS
};

struct query_top_wanted {
	char client[QUERY_TEXT_MAX]; // address as text, or name, in any case; "": any
	int64_t since_us, until_us;
	unsigned for_ms;
};

// The first items of a bag by one count, in falling order, without items whose count is 0; the
// texts are the bag's. Names have all three orders, clients and groups the order by queries, lists
// that by blocked queries.
struct query_top_first {
	unsigned count;
	struct query_bag_item item[QUERY_TOP_ITEMS_MAX];
};

struct query_top_report {
	struct query_bag bag[QUERY_TOP_BAGS];
	struct query_top_first first[QUERY_TOP_BAGS][QUERY_BAG_ORDERS];
	struct query_tally all;
	// Hours that were read, the oldest first.
	unsigned hours;
	struct query_top_hour {
		int64_t hour; // hours since 1970
		struct query_tally tally;
	} hour[QUERY_TOP_HOURS_ROOM];
	bool complete; // false: the report covers only the time from `covered_us` on
	int64_t covered_us;
	unsigned unreadable; // files that could not be read
	uint64_t left_out;   // queries whose name or client is in no bag
};

// Makes a report, which query_top_free frees. Returns 0, -ECANCELED when *stop became true,
// -ENOMEM, -errno.
ATTR_MUST_CHECK int query_top_find(const char *folder, const struct query_top_wanted *wanted,
	const _Atomic bool *stop, struct query_top_report **out);
void query_top_free(struct query_top_report *r); // NULL is fine
