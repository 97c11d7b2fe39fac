// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Batches on their way from the log thread to the thread of a sink. Bounded: with `cap` batches in
// it a put is refused, and that sink is owed them or has dropped them (querylog.h). Any thread; one
// short lock.
//
// A queued batch keeps its memory from the pool of all sinks. Keep `cap` small (8 or so) and copy
// or spool in time.

#include "querylog.h"

enum { QUERYLOG_QUEUE_MAX = 32 };

struct querylog_queue;

ATTR_MUST_CHECK int querylog_queue_open(struct querylog_queue **out, unsigned cap);
// Lets go of what is still queued. No thread uses it any more. NULL is fine.
void querylog_queue_free(struct querylog_queue *q);

// Takes a reference of its own. False: full or closed. What a sink's `take` calls, or its `fold`,
// which queues what it is owed with the batch.
ATTR_MUST_CHECK bool querylog_queue_put(
	struct querylog_queue *q, const struct querylog_batch *b, uint64_t owed);
// The oldest batch, which the caller releases, after at most timeout_ms (0: at once). NULL: none
// came, or closed and empty. *owed (may be NULL): as it was put.
ATTR_MUST_CHECK const struct querylog_batch *querylog_queue_take(
	struct querylog_queue *q, unsigned timeout_ms, uint64_t *owed);
void querylog_queue_close(struct querylog_queue *q);   // no more puts; what is queued can be taken
bool querylog_queue_is_done(struct querylog_queue *q); // closed and empty

struct querylog_queue_counts {
	unsigned cap, used, used_most;
	uint64_t put, refused; // batches
	uint64_t rows, weight; // queued, and of the batch that was taken last
	uint64_t since_ms;     // when the oldest came; 0: none is there
};
void querylog_queue_counts(struct querylog_queue *q, struct querylog_queue_counts *out);
