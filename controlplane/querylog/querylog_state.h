// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Shared by the files of the query log: the state of its thread.

#include "querylog.h"
#include "querylog_batch.h"
#include "querylog_row.h"
#include "querylog_sinks.h"

#include <pthread.h>
#include <stdatomic.h>
#include <weir/log_msg.h>
#include <weir/watch_msg.h>

enum {
	QUERYLOG_POLL_MS = 10,       // between two looks at the rings
	QUERYLOG_POLL_IDLE_MS = 100, // when there was nothing for a while
	QUERYLOG_BEAT_MS = 1000,
	QUERYLOG_HOLD_MS = 200,    // how long a batch waits for more rows
	QUERYLOG_READ_MAX = 32768, // records of one ring a look
	QUERYLOG_PAST_H = 24,      // older records are rejected: stores make files by the time
	QUERYLOG_FUTURE_S = 60,    // records further ahead are rejected
	QUERYLOG_LAST_TRIES = 50,  // at the end, QUERYLOG_POLL_MS apart, to pay what sinks are owed
};

struct querylog_sink_slot {
	struct querylog_sink sink;
	// Written by the log thread alone.
	_Atomic uint64_t rows, weight, folded_rows, folded_weight, owed_rows, owed_weight,
		dropped_rows, dropped_weight;
	uint64_t owed_ms;                          // since when
	uint64_t recent_rows[2], recent_weight[2]; // taken since the last beat, and before it
	uint64_t told_rows, told_weight, told_ms;  // losses that the log has a line of
	uint64_t before_rows, before_weight; // of the previous run; set before the thread runs
	bool was_offered;                    // a batch since the last beat
};

// An empty batch has room for the largest row.
static_assert((int)LOG_WHOLE_MAX + (int)QUERYLOG_NAME_MAX < (int)QUERYLOG_TEXT_MAX);
static_assert((int)WATCH_MESSAGE_MAX < (int)LOG_WHOLE_MAX);

struct querylog {
	const char *box; // this box's name
	struct querylog_pool *pool;
	unsigned sinks;
	struct querylog_sink_slot sink[QUERYLOG_SINKS_MAX];
	pthread_t thread;
	bool is_running;
	pthread_mutex_t lock; // of `stop` and `wake`, and as said below
	pthread_cond_t wake;
	bool stop;
	uint64_t batches;             // numbered so far
	uint64_t beat_ms;             // of the last beat
	struct querylog_names *names; // under `lock`
	struct querylog_hide hide;    // written by the log thread, under `lock`
	struct querylog_sources sources;
	struct querylog_hand hand;
	bool (*watch)(void *arg, int64_t wall_us, const uint8_t *msg, size_t len); // or NULL
	void *watch_arg;
	struct client_book *clients; // or NULL

	// The log thread's own.
	struct querylog_names *naming; // that rows are made by
	struct querylog_macs macs;
	struct querylog_batch *filling; // NULL: none
	uint64_t filling_ms;            // since when
	int64_t wall_us;                // what makes wall time of a record's
	uint64_t look_us;               // of the look at the rings, as clock_mono_us
	uint64_t carried; // weight of records without a believable time, for the next row
	alignas(8) uint8_t msg[LOG_WHOLE_MAX + 1]; // the message last read from a ring

	// Written by the log thread alone.
	_Atomic uint64_t rows, weight, unlogged, excluded_rows, excluded_weight, bad,
		carried_weight, anomalies;
	_Atomic unsigned source_count;
};

static inline uint64_t querylog_load(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

// One that the calling thread alone writes.
static inline void querylog_count(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter, querylog_load(counter) + n, memory_order_relaxed);
}

// From rings to batches (querylog_drain.c). On the log thread.

// One look at all rings. The records read.
unsigned querylog_drain(struct querylog *q, uint64_t now_ms);
// Passes the batch to the sinks, if it is old enough or `now`.
void querylog_flush(struct querylog *q, uint64_t now_ms, bool now);
// Makes a row for weight that no record has carried. False: no batch is free.
bool querylog_carry(struct querylog *q, uint64_t now_ms);
