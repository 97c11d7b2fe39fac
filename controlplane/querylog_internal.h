// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the files of the query log share: its thread's state.

#include "querylog.h"
#include "querylog_batch.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
	QUERYLOG_POLL_MS = 10,       // between two looks at the rings
	QUERYLOG_POLL_IDLE_MS = 100, // when there was nothing for a while
	QUERYLOG_BEAT_MS = 1000,
};

struct querylog_sink_slot {
	struct querylog_sink sink;
	// Written by the log thread alone.
	_Atomic uint64_t rows, weight, dropped_rows, dropped_weight;
};

struct querylog {
	struct querylog_settings settings;
	struct querylog_pool *pool;
	unsigned sinks;
	struct querylog_sink_slot sink[QUERYLOG_SINKS_MAX];
	pthread_t thread;
	bool is_running;
	pthread_mutex_t lock; // of `stop` and `wake`
	pthread_cond_t wake;
	bool stop;
	uint64_t batches; // numbered so far
	uint64_t beat_ms; // of the last beat
};
