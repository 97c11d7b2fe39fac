// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Batches on their way from the log thread to the thread of a sink. Bounded: with `cap` batches in
// it a put is refused, and that sink is owed them or has dropped them (querylog.h). Any thread; one
// short lock.
//
// A queued batch keeps its memory from the pool of all sinks. Keep `cap` small (8 or so) and copy
// or spool in time.

#include "querylog_batch.h"

enum { QUERYLOG_QUEUE_MAX = 32 };

struct querylog_queue;

ATTR_MUST_CHECK int querylog_queue_open(struct querylog_queue **out, unsigned cap);
// Releases the queued batches. No thread may use it any more. NULL is fine.
void querylog_queue_free(struct querylog_queue *q);

// Takes a reference of its own. False: full or closed. Called by a sink's `take`, or by its `fold`,
// which queues the debt with the batch.
ATTR_MUST_CHECK bool querylog_queue_put(
	struct querylog_queue *q, const struct querylog_batch *b, uint64_t owed);
// The oldest batch, which the caller releases, after at most timeout_ms (0: at once). NULL: none
// came, or closed and empty. *owed (may be NULL): as it was put.
ATTR_MUST_CHECK const struct querylog_batch *querylog_queue_take(
	struct querylog_queue *q, unsigned timeout_ms, uint64_t *owed);
void querylog_queue_close(struct querylog_queue *q);   // no more puts; queued batches can be taken
bool querylog_queue_is_done(struct querylog_queue *q); // closed and empty

struct querylog_queue_counts {
	unsigned cap, used, used_most;
	uint64_t put, refused; // batches
	uint64_t rows, weight; // queued, and in the batch that was taken last
	uint64_t since_ms;     // when the oldest came; 0: empty
	uint64_t bytes;        // of the queue itself: batches are of the pool
};
void querylog_queue_counts(struct querylog_queue *q, struct querylog_queue_counts *out);
