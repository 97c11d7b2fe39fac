// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// State of the log thread, shared by the files of the query log.

#include "querylog.h"
#include "querylog_batch.h"
#include "querylog_row.h"
#include "querylog_sinks.h"

#include <pthread.h>
#include <stdatomic.h>
#include <weir/log_msg.h>
#include <weir/watch_msg.h>

enum {
	QUERYLOG_POLL_MS = 10,       // interval between looks at the rings
	QUERYLOG_POLL_IDLE_MS = 100, // interval while the rings stay empty
	QUERYLOG_BEAT_MS = 1000,
	QUERYLOG_HOLD_MS = 200,    // how long a batch waits for more rows
	QUERYLOG_READ_MAX = 32768, // most records of one ring in one look
	QUERYLOG_PAST_H = 24,     // older records are rejected, as stores make a file for each hour
	QUERYLOG_FUTURE_S = 60,   // records further ahead are rejected
	QUERYLOG_LAST_TRIES = 50, // tries at shutdown to pay debts, QUERYLOG_POLL_MS apart
};

struct querylog_sink_slot {
	struct querylog_sink sink;
	// The log thread alone writes these.
	_Atomic uint64_t rows, weight, folded_rows, folded_weight, owed_rows, owed_weight,
		dropped_rows, dropped_weight;
	uint64_t owed_ms;                          // when the debt began
	uint64_t recent_rows[2], recent_weight[2]; // taken since the last beat, and before it
	uint64_t told_rows, told_weight, told_ms;  // losses already logged, and when
	uint64_t before_rows, before_weight; // most rows lost by a kill; set before the thread runs
	bool was_offered;                    // the sink was offered a batch since the last beat
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
	pthread_mutex_t lock; // protects `stop`, `wake`, `names` and `hide`
	pthread_cond_t wake;
	bool stop;
	uint64_t batches;             // number of the last batch
	uint64_t beat_ms;             // time of the last beat
	struct querylog_names *names; // new names for the log thread; NULL: no new ones
	struct querylog_hide hide;    // written by the log thread alone, under `lock`
	struct querylog_sources sources;
	struct querylog_hand hand;
	bool (*watch)(void *arg, int64_t wall_us, const uint8_t *msg, size_t len); // or NULL
	void *watch_arg;
	struct client_book *clients; // or NULL

	// Fields that the log thread alone uses.
	struct querylog_names *naming; // names that rows are made with
	struct querylog_macs macs;
	struct querylog_batch *filling; // NULL: no batch is being filled
	uint64_t filling_ms;            // when that batch was begun
	int64_t wall_us;                // added to a record's time to get wall time
	uint64_t look_us;               // time of the present look, as clock_mono_us
	uint64_t carried; // weight of records with an implausible time, for the next row
	alignas(8) uint8_t msg[LOG_WHOLE_MAX + 1]; // the message last read from a ring

	// The log thread alone writes these.
	_Atomic uint64_t rows, weight, unlogged, excluded_rows, excluded_weight, bad,
		carried_weight, anomalies;
	_Atomic unsigned source_count;
};

static inline uint64_t querylog_load(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

// Adds to a counter that only the calling thread writes.
static inline void querylog_count(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter, querylog_load(counter) + n, memory_order_relaxed);
}

// querylog_drain.c, on the log thread.

// Looks at all rings once; returns the number of records read.
unsigned querylog_drain(struct querylog *q, uint64_t now_ms);
// Passes the batch to the sinks, if it is old enough or `now`.
void querylog_flush(struct querylog *q, uint64_t now_ms, bool now);
// Makes a row for weight that no record has carried. False: no batch is free.
bool querylog_carry(struct querylog *q, uint64_t now_ms);
