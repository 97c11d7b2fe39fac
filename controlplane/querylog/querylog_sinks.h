// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The sinks of the query log, with the rows that each has taken, has yet to get and has lost. On
// the log thread, unless a function says otherwise.

#include "base/counts.h"
#include "querylog_batch.h"

enum {
	QUERYLOG_SINKS_MAX = 8,
	QUERYLOG_OWED_MS = 30000, // how long weight waits for a sink that takes nothing
};

// Figures that a sink reports.
struct querylog_held {
	uint64_t rows, weight;           // rows in memory at most, which a kill loses
	uint64_t lost_rows, lost_weight; // rows that the sink accepted and lost
	uint64_t without_messages;       // rows written without messages (querylog_whole)
};

struct querylog_sink {
	const char *name;
	// Gives a batch, on the log thread. False: not accepted; its rows count as dropped by this
	// sink.
	bool (*take)(void *arg, const struct querylog_batch *b);
	// A sink with weights has this in place of `take`: the batch stands for `owed` queries more
	// than its rows (querylog_weight). False: not accepted; called again with the next batch.
	bool (*fold)(void *arg, const struct querylog_batch *b, uint64_t owed);
	// Called about once a second on the log thread, also when nothing is logged. May be NULL.
	void (*beat)(void *arg, uint64_t now_ms);
	// Clients and names are hidden or excluded otherwise from now on: drops those of batches up
	// to `number`, also of those that wait. On the log thread. May be NULL.
	void (*forget)(void *arg, uint64_t number, uint64_t now_ms);
	// Reports the figures, on any thread, until querylog_stop has returned. NULL: the sink
	// keeps no rows.
	void (*held)(void *arg, struct querylog_held *out);
	void *arg;
};

#define LOG_SINK_COUNTS(X)                                                                      \
	X(FIRST, uint64_t, rows, SAME, TOTAL, "Rows that a sink of the query log accepted.")    \
	X(FIRST, uint64_t, weight, SAME, NAMED("queries_total"),                                \
		"Queries that these rows stand for.")                                           \
	X(FIRST, uint64_t, folded_rows, SAME, TOTAL,                                            \
		"Rows that the sink did not accept, whose queries its other rows stand for.")   \
	X(FIRST, uint64_t, folded_weight, SAME, NAMED("folded_queries_total"),                  \
		"Queries that these rows stand for.")                                           \
	X(FIRST, uint64_t, owed_rows, SAME, SAME,                                               \
		"Rows that the sink did not accept, whose queries no row stands for yet.")      \
	X(FIRST, uint64_t, owed_weight, SAME, NAMED("owed_queries"),                            \
		"Queries of these rows, which the sink gets with the next rows it accepts.")    \
	X(FIRST, uint64_t, dropped_rows, SAME, TOTAL,                                           \
		"Rows that the sink did not accept, and whose queries are lost.")               \
	X(FIRST, uint64_t, dropped_weight, SAME, NAMED("dropped_queries_total"),                \
		"Queries that these rows stand for.")                                           \
	X(FIRST, uint64_t, lost_rows, SAME, TOTAL,                                              \
		"Rows that the sink lost, before or after it accepted them.")                   \
	X(FIRST, uint64_t, lost_weight, SAME, NAMED("lost_queries_total"),                      \
		"Queries that these rows stand for.")                                           \
	X(FIRST, uint64_t, held_rows, SAME, SAME,                                               \
		"Rows in the sink's memory, which a kill loses.")                               \
	X(FIRST, uint64_t, held_weight, SAME, NONE, "Queries that these rows stand for.")       \
	X(FIRST, uint64_t, before_rows, NAMED("lost_by_kill_rows"), NAMED("lost_by_kill_rows"), \
		"Most rows in the sink's memory when the previous control plane was killed.")   \
	X(FIRST, uint64_t, before_weight, NAMED("lost_by_kill_weight"),                         \
		NAMED("lost_by_kill_queries"), "Queries that these rows stand for.")            \
	X(FIRST, uint64_t, without_messages, NONE, NAMED("rows_without_messages_total"),        \
		"Rows that dnstap sent without the DNS messages.")

struct querylog_sink_counts {
	LOG_SINK_COUNTS(COUNT_FIELD)
	const char *name;
};
COUNTS(querylog_sink_rows, struct querylog_sink_counts, "weir_log_sink_", LOG_SINK_COUNTS)

struct querylog;

// Any thread.
unsigned querylog_sinks(struct querylog *q, struct querylog_sink_counts out[QUERYLOG_SINKS_MAX]);

// Gives a batch to every sink and counts who took it. On the log thread, or in a test.
void querylog_feed(struct querylog *q, const struct querylog_batch *b);

// Makes a row for each debt while no batch comes, and drops debts that are too old. False: a debt
// is left.
bool querylog_sinks_settle(struct querylog *q, uint64_t now_ms);
// Drops all debts, at shutdown.
void querylog_sinks_forgive(struct querylog *q);
// Logs losses and calls querylog_sinks_save. Called at each beat.
void querylog_sinks_beat(struct querylog *q, uint64_t now_ms);
// Writes the number of rows in memory to the file of querylog_hand. Called at each beat, and before
// records of a ring are released.
void querylog_sinks_save(struct querylog *q);
// Reads and logs the figures of the previous run. Called once, before the thread starts.
void querylog_sinks_restore(struct querylog *q);
