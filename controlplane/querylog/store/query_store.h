// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The query store: a sink of the query log that keeps rows in SQLite files of an hour each
// (query_folder.h), which query_search.h reads.
//
// A thread of its own, of low priority, takes batches from a queue of QUERY_QUEUE_MAX and commits
// each QUERY_FLUSH_MS, which is the loss of a kill, and waits for the disk QUERY_SYNC_MS after a
// commit, which with that is the loss of a power cut. The weight of a batch that finds the queue
// full goes into later rows (querylog.h).
//
// Bounds: files older than `hours` are deleted, by the time of retention.h, and the oldest ones
// while they exceed max_bytes; a file ends with its hour or at an eighth of max_bytes. The newest
// file always stays, unless its hour is in the future. Over max_rate rows a second (a bucket that
// holds a second's worth) the last of each N rows is kept, with the weights of the others, so that
// sums over weights stay exact; the last row of each batch is kept as well, so that no debt is
// left.
//
// Failures (disk full, no permission, a damaged file) are counted and in the status. Rows not
// committed are lost and counted; the file is closed and, 1 s to 60 s later, doubling, opened
// again; a damaged one stays and a new part begins. Until then no batch is accepted.

#include "querylog/querylog.h"

#include <limits.h>

enum {
	QUERY_QUEUE_MAX = 12,
	QUERY_FLUSH_MS = 800,
	QUERY_SYNC_MS = 10000,
	QUERY_TIDY_MS = 60000,
	QUERY_BACKOFF_MIN_MS = 1000,
	QUERY_BACKOFF_MAX_MS = 60000,
};

struct query_store_settings {
	const char *folder; // copied
	unsigned hours;
	uint64_t max_bytes;
	unsigned max_rate;       // 0: all rows
	int64_t (*unix_s)(void); // NULL: time(2). For tests
};

struct query_store;

// Starts the thread; that the folder cannot be used is no failure of this. -ENOMEM,
// -ENAMETOOLONG, -errno of creating the thread.
ATTR_MUST_CHECK int query_store_open(
	struct query_store **out, const struct query_store_settings *s);
// Writes what is queued, commits, ends the thread. After querylog_stop. NULL is fine.
void query_store_close(struct query_store *s);

// To be added to the log.
struct querylog_sink query_store_sink(struct query_store *s);
const char *query_store_folder(const struct query_store *s);

struct query_store_status {
	char folder[PATH_MAX];
	bool failing;
	char why[128];                   // of the last failure, "" without one
	uint64_t retry_at_ms;            // of the next try, monotonic, while failing
	uint64_t retry_in_ms;            // from the look on
	uint64_t rows, weight;           // committed
	uint64_t open_rows, open_weight; // in memory: queued, or not committed yet
	uint64_t merged;                 // rows whose weight went into another row's
	uint64_t lost_rows, lost_weight; // taken and not committed
	uint64_t failures, damaged;      // all; those that were damaged files
	unsigned keep_one_in;            // just now
	unsigned files;
	uint64_t bytes, max_bytes;
	unsigned hours;
	int64_t oldest_unix_s; // start of the oldest file's hour; 0: no file
	uint64_t dropped_files;
	int64_t clock_ahead_s; // how far the clock is ahead (retention.h); 0: it is trusted
	unsigned queued, queue_cap, queued_most;
	uint64_t queued_since_ms;      // 0: none
	uint64_t queue_bytes;          // with the store's own
	uint64_t texts, texts_evicted; // texts whose number is cached
	uint64_t refused;              // batches: queue full, or failing
};
// Any thread.
void query_store_status(struct query_store *s, struct query_store_status *out);
void query_store_tables(const struct query_store_status *s, struct table_registry *tables);
