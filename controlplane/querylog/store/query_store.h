// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The query store: a sink of the query log that keeps rows in SQLite files of an hour each
// (query_folder.h), which query_search.h reads.
//
// A thread of low priority takes batches from a queue of QUERY_QUEUE_MAX. It commits each
// QUERY_FLUSH_MS: a kill loses the rows of that time. It syncs the disk QUERY_SYNC_MS after a
// commit: a power cut loses the rows of both times. The weight of a batch that finds the queue full
// goes into later rows (querylog.h).
//
// Bounds: files older than `hours` are deleted, by the time of retention.h, and the oldest files
// while all exceed max_bytes; a file ends with its hour or at an eighth of max_bytes. The newest
// file always stays, unless its hour is in the future. Over max_rate rows a second (a bucket that
// holds a second's worth) the store keeps the last of each N rows, with the weights of the others,
// so that sums over weights stay exact. It also keeps the last row of each batch, so that no weight
// is left over.
//
// Failures (disk full, no permission, a damaged file) are counted and in the status. Rows not
// committed are lost and counted; the file is closed and, 1 s to 60 s later, doubling, opened
// again; a damaged file stays, and a new part begins. Until the file is open no batch is accepted.

#include "base/counts.h"
#include "querylog/querylog.h"

#include <limits.h>
#include <stdint.h>

// How many of a batch's rows the query store keeps: a bucket that fills with `max` rows a second
// and holds a second's worth. Pure; one thread.

struct query_rate {
	uint64_t max; // rows a second; 0: all are kept
	uint64_t room_milli;
	uint64_t last_ms;
};

static inline void query_rate_start(struct query_rate *r, uint64_t max, uint64_t now_ms)
{
	*r = (struct query_rate){.max = max, .room_milli = max * 1000, .last_ms = now_ms};
}

// Returns N of "one row in N" for `rows` rows, and takes ceil(rows / N) rows from the bucket.
static inline unsigned query_rate_step(struct query_rate *r, unsigned rows, uint64_t now_ms)
{
	if (!r->max || !rows)
		return 1;
	uint64_t past_ms = now_ms > r->last_ms ? now_ms - r->last_ms : 0;
	uint64_t room = r->room_milli + r->max * (past_ms < 1000 ? past_ms : 1000);
	r->last_ms = now_ms;
	if (room > r->max * 1000)
		room = r->max * 1000;
	uint64_t kept = room / 1000 < 1 ? 1 : room / 1000;
	unsigned n = rows <= kept ? 1 : (unsigned)((rows + kept - 1) / kept);
	uint64_t spent = (uint64_t)((rows + n - 1) / n) * 1000;
	r->room_milli = room > spent ? room - spent : 0;
	return n;
}

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

// Starts the thread; succeeds even if the folder cannot be used. -ENOMEM, -ENAMETOOLONG, -errno of
// creating the thread.
ATTR_MUST_CHECK int query_store_open(
	struct query_store **out, const struct query_store_settings *s);
// After querylog_stop: writes the queued rows, commits and ends the thread. NULL is fine.
void query_store_close(struct query_store *s);

// To be added to the log.
struct querylog_sink query_store_sink(struct query_store *s);
const char *query_store_folder(const struct query_store *s);

#define STORE_COUNTS(X)                                                                        \
	X(FIRST, bool, failing, NONE, SAME, "Whether the query store cannot write.")           \
	X(FIRST, uint64_t, retry_in_ms, SAME, NONE, "Time to the next try, from the look on.") \
	X(FIRST, uint64_t, rows, SAME, TOTAL, "Rows that the query store committed.")          \
	X(FIRST, uint64_t, weight, SAME, NAMED("queries_total"),                               \
		"Queries that these rows stand for.")                                          \
	X(FIRST, uint64_t, open_rows, NAMED("held_rows"), NONE,                                \
		"Rows in memory, queued or not committed yet.")                                \
	X(FIRST, uint64_t, open_weight, NAMED("held_weight"), NONE,                            \
		"Queries that these rows stand for.")                                          \
	X(FIRST, uint64_t, merged, NAMED("merged_rows"), NAMED("merged_rows_total"),           \
		"Rows merged into other rows.")                                                \
	X(FIRST, uint64_t, lost_rows, SAME, TOTAL,                                             \
		"Rows that the query store accepted and did not commit.")                      \
	X(FIRST, uint64_t, lost_weight, SAME, NAMED("lost_queries_total"),                     \
		"Queries that these rows stand for.")                                          \
	X(FIRST, uint64_t, failures, SAME, TOTAL, "Writes of the query store that failed.")    \
	X(FIRST, uint64_t, damaged, NAMED("damaged_files"), NONE,                              \
		"Failures because of a damaged file.")                                         \
	X(FIRST, unsigned, keep_one_in, NAMED("keeps_one_in"), NONE,                           \
		"One of so many rows is kept just now.")                                       \
	X(FIRST, unsigned, files, SAME, SAME, "Files of the query store, one an hour.")        \
	X(FIRST, uint64_t, bytes, SAME, SAME, "Bytes of the files of the query store.")        \
	X(FIRST, uint64_t, max_bytes, SAME, NAMED("cap_bytes"),                                \
		"Most bytes that the query store may have.")                                   \
	X(FIRST, unsigned, hours, SAME, NONE, "Hours that the files are of.")                  \
	X(FIRST, int64_t, oldest_unix_s, SAME, NONE,                                           \
		"Start of the oldest file's hour; 0: no file.")                                \
	X(FIRST, uint64_t, dropped_files, SAME, TOTAL,                                         \
		"Files that the query store deleted, oldest first.")                           \
	X(FIRST, int64_t, clock_ahead_s, SAME, NAMED("clock_ahead_seconds"),                   \
		"How far the clock is ahead of the newest rows; 0: weir trusts the clock.")    \
	X(FIRST, unsigned, queued, SAME, SAME, "Batches that wait for the query store.")       \
	X(FIRST, unsigned, queue_cap, SAME, NONE, "Most batches that can wait.")               \
	X(FIRST, uint64_t, refused, NAMED("refused_batches"), NAMED("refused_batches_total"),  \
		"Batches that the query store refused.")

struct query_store_status {
	STORE_COUNTS(COUNT_FIELD)
	char folder[PATH_MAX];
	char why[128];        // the last failure; "": no failure
	uint64_t retry_at_ms; // time of the next try, monotonic, while failing
	unsigned queued_most;
	uint64_t queued_since_ms;      // when the oldest batch was queued; 0: no batch
	uint64_t queue_bytes;          // bytes of the queue and of the store
	uint64_t texts, texts_evicted; // texts whose number is cached; texts evicted
};
COUNTS(query_store_rows, struct query_store_status, "weir_store_", STORE_COUNTS)
// Any thread.
void query_store_status(struct query_store *s, struct query_store_status *out);
void query_store_tables(const struct query_store_status *s, struct table_registry *tables);
