// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The file of the query store that is in use, and earlier ones. For the thread of query_store.c,
// whose state this is.

#include "query_rate.h"
#include "query_store.h"
#include "querylog/querylog_queue.h"
#include "querylog/retention.h"

#include <pthread.h>
#include <stdatomic.h>

// Bytes of a row, generously, by which a transaction ends before it makes a large WAL.
enum { PART_SHARE = 8, ROW_BYTES = 64, TRANSACTION_MAX = 4 << 20 };

struct query_store {
	struct query_store_settings settings;
	char folder[PATH_MAX];
	struct querylog_queue *queue;
	pthread_t thread;
	_Atomic bool failing;
	_Atomic uint64_t refused;
	pthread_mutex_t lock;
	struct query_store_status shown; // under the lock

	// The thread's own.
	struct query_file *file;
	char path[PATH_MAX];
	bool open;
	int64_t hour;
	unsigned part;
	int64_t bad_hour; // a damaged file was found there: parts from bad_part + 1 on
	unsigned bad_part;
	struct query_rate rate;
	uint64_t began_ms;    // 0: nothing waits for a commit
	uint64_t unsynced_ms; // since when something waits for a sync. 0: nothing does
	uint64_t open_rows, open_weight;
	uint64_t tidy_ms, retry_ms, backoff_ms;
	struct retention retention;
	uint64_t others_bytes;         // of the files that are not open
	struct query_store_status now; // copied to `shown`
};

// -errno, -EUCLEAN: damaged.
ATTR_MUST_CHECK int query_store_begin(struct query_store *s, int64_t hour); // a file of that hour
ATTR_MUST_CHECK int query_store_commit(struct query_store *s);
ATTR_MUST_CHECK int query_store_sync(struct query_store *s); // if it is time
// Ends the use of the file, whatever state it is in.
void query_store_leave(struct query_store *s);
void query_store_well(struct query_store *s); // a write went well: it fails no longer
void query_store_lose(struct query_store *s, uint64_t rows, uint64_t weight);
// Deletes files that are too old or too many, so that `room` bytes are free: the oldest first,
// those of the future before or after them (retention.h). Never the file in use, nor the newest of
// the present.
ATTR_MUST_CHECK int query_store_tidy(struct query_store *s, uint64_t room);
// Bytes of rows after which it is time for a commit.
uint64_t query_store_transaction_max(const struct query_store *s);
