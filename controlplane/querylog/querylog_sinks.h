// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The sinks of the query log, with the rows that each has taken, has yet to get and has lost. On
// the log thread, unless a function says otherwise.

#include "querylog_batch.h"

enum {
	QUERYLOG_SINKS_MAX = 8,
	QUERYLOG_OWED_MS = 30000, // how long weight waits for a sink that takes nothing
};

// Figures that a sink reports. Weight if it knows the queries of its rows, else rows.
struct querylog_held {
	uint64_t rows, weight;           // in memory, at most: a kill loses them
	uint64_t lost_rows, lost_weight; // taken, and kept nowhere
	uint64_t without_messages;       // rows written without messages (querylog_whole)
};

struct querylog_sink {
	const char *name;
	// On the log thread. False: not taken; counted as dropped by this sink.
	bool (*take)(void *arg, const struct querylog_batch *b);
	// In place of `take`, for a sink with weights: the batch stands for `owed` queries more
	// than its rows (querylog_weight). False: not accepted; called again with the next batch.
	bool (*fold)(void *arg, const struct querylog_batch *b, uint64_t owed);
	// On the log thread, once a second or so, also when nothing is logged. NULL: not wanted.
	void (*beat)(void *arg, uint64_t now_ms);
	// Any thread, until querylog_stop has returned. NULL: it keeps nothing.
	void (*held)(void *arg, struct querylog_held *out);
	void *arg;
};

struct querylog_sink_counts {
	const char *name;
	uint64_t rows, weight;               // taken
	uint64_t folded_rows, folded_weight; // rows not accepted, whose weight went into other rows
	uint64_t owed_rows, owed_weight;     // not taken, and the weight not yet either
	uint64_t dropped_rows, dropped_weight; // not taken, neither rows nor weight
	uint64_t lost_rows, lost_weight;     // all that is kept nowhere: dropped, or taken and lost
	uint64_t held_rows, held_weight;     // in its memory
	uint64_t before_rows, before_weight; // lost by a kill of the previous run, at most
	uint64_t without_messages;           // of `rows`
};

struct querylog;

// Any thread.
unsigned querylog_sinks(struct querylog *q, struct querylog_sink_counts out[QUERYLOG_SINKS_MAX]);

// Gives a batch to every sink and counts who took it. On the log thread, or in a test.
void querylog_feed(struct querylog *q, const struct querylog_batch *b);

// Makes a row for a sink's debt while no batch comes, and drops a debt that is too old. False: a
// debt is left.
bool querylog_sinks_settle(struct querylog *q, uint64_t now_ms);
// At the end: drops the debts.
void querylog_sinks_forgive(struct querylog *q);
// Logs losses, and writes the rows in memory down for the next control plane. Each beat.
void querylog_sinks_beat(struct querylog *q, uint64_t now_ms);
// Also with each batch, and before records are let go of in a ring.
void querylog_sinks_save(struct querylog *q);
// Figures of the previous run; once, before the thread starts.
void querylog_sinks_restore(struct querylog *q);
