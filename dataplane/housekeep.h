// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The main lcore's loop while the workers run: each 10 ms the clock, the link, new generations of
// the control plane and the rate limits, each 100 ms the heartbeat and a sample of the packet pools
// and rings, each second the ports' statistics, the mbuf audit, the figures of all tables
// (table_report.h), and the reconciliation of received frames with verdicts. It never waits for
// another thread; it sleeps between rounds, and signals may cut that short.

#include "housekeep_memory.h"
#include "port/mbuf_audit.h"
#include "port/port.h"
#include "port/port_drops.h"
#include "port/steering.h"
#include "state/activate.h"
#include "state/link.h"
#include "state/worker_rings.h"
#include "table_report.h"

#include <weir/limit.h>

enum {
	HOUSEKEEP_TURN_MS = 10,
	HOUSEKEEP_START_MS = 500,
	HOUSEKEEP_BEAT_MS = 100,
	HOUSEKEEP_REPORT_MS = 1000,
	CONTROL_HUNG_MS = 500, // with a heartbeat older than this no process drains the miss rings
};

struct housekeep_worker {
	struct mbuf_audit law;
	uint64_t moved; // frames in and out, at the last sample
	uint64_t told;  // pool_told, likewise
	bool quiet;     // none moved in this window
	bool breached;  // in the last window
	// At the end of the last window that was sound, and of the last of these that was quiet: a
	// few buffers that are lost while frames flow are missed only when these have stopped.
	struct mbuf_flows sound, rest;
	struct asked_walk asked;
};

struct housekeep {
	struct worker *const *workers;
	unsigned worker_count;
	struct ports *ports;
	struct steering *steering; // NULL: no AF_XDP ports
	struct stats_region *stats;
	const struct worker_rings *worker_rings;
	int *lock; // of dataplane.lock, which is kept there; NULL: none
	struct limiter *limiter;
	struct link_client link;
	struct activate activate;
	struct drops drops; // by the ports themselves

	struct housekeep_worker worker[SHM_WORKERS_MAX];
	bool alive;             // the control plane's state as given to the workers
	bool hung;              // it was linked and silent
	uint64_t suspended_ms;  // clock_suspended_ms, at the last turn
	uint64_t check_from_ms; // before that a heartbeat may be old because of a suspend
	uint64_t next_beat_ms, next_report_ms, next_memory_ms;
	uint64_t gap_told;    // last verdict gap that was logged
	uint64_t errors_seen; // recent_errors.h
};

// Takes the pools' fill as the base of their law: call after the ports have started and before the
// workers have. link and activate are the caller's to initialise and to close.
void housekeep_init(struct housekeep *h, uint64_t now_ms);
void housekeep_turn(struct housekeep *h, uint64_t now_ms);
// Once the workers run, with `hold` set: hands them what lies in shared memory, then lets them read
// frames. HOUSEKEEP_START_MS at most.
void housekeep_start(struct housekeep *h);
// Until *stop is set.
void housekeep_run(struct housekeep *h, const _Atomic int *stop);
