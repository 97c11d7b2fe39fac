// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Where batches of the query log live: taken and filled on the log thread, given back by whoever
// lets go of one last, from any thread.
//
// Memory: QUERYLOG_BATCHES_MAX batches at most, made when they are wanted. Some stay for the next
// taker, those over QUERYLOG_SPARE_MAX are freed, so a backlog of the sinks does not stay as
// memory. With all of them out, querylog_pool_take says so and the caller waits.

#include "base/growth.h"
#include "querylog.h"

enum { QUERYLOG_SPARE_MAX = 4 };

struct querylog_pool;

ATTR_MUST_CHECK int querylog_pool_open(struct querylog_pool **out); // -ENOMEM
void querylog_pool_close(struct querylog_pool *p); // every batch is back. NULL is fine

// An empty batch that the caller holds, or NULL: all are out, or no memory. `box` outlives it.
ATTR_MUST_CHECK struct querylog_batch *querylog_pool_take(
	struct querylog_pool *p, const char *box, uint64_t number);
// Room for one more row with `text` bytes of text, zeroed and with empty texts; NULL: full.
ATTR_MUST_CHECK struct querylog_row *querylog_batch_row(struct querylog_batch *b, size_t text);
// Room for `size` bytes of text of the last row, part of the size passed to querylog_batch_row.
char *querylog_batch_text(struct querylog_batch *b, size_t size);
// The last row counts from here on: its weight is added to that of the batch.
void querylog_batch_end_row(struct querylog_batch *b);
// Adds `weight` queries to the last row that counts.
void querylog_batch_add_weight(struct querylog_batch *b, uint64_t weight);
// `drop(arg)` once the batch is let go of, on that thread: what rows point to outside of it.
void querylog_batch_keep(struct querylog_batch *b, void (*drop)(void *arg), void *arg);

struct querylog_pool_counts {
	unsigned out, made; // batches held by someone; and in memory
	uint64_t bytes;
	uint64_t starved; // takes refused
	unsigned out_most;
	uint64_t since_ms; // when the oldest one in use was taken; 0: none
	struct growth growth;
};
void querylog_pool_counts(struct querylog_pool *p, struct querylog_pool_counts *out);
