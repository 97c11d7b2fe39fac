// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The main lcore's loop while the workers run. Each 10 ms: the clock, the link, new generations of
// the control plane and the rate limits. Each 100 ms: the heartbeat and a sample of the packet
// pools and rings. Each second: the ports' statistics, the mbuf audit, the figures of all tables
// (table_report.c), and the reconciliation of received frames with verdicts. The loop never waits
// for another thread. It sleeps between iterations; only a signal to stop cuts a sleep short.

#include "port/mbuf_pool.h"
#include "port/port.h"
#include "port/port_drops.h"
#include "port/steering.h"
#include "state/activate.h"
#include "state/dedup.h"
#include "state/link.h"
#include "state/worker_rings.h"

#include <weir/limit.h>
#include <weir/mem_account.h>
#include <weir/shm_stats.h>

enum {
	HOUSEKEEP_TURN_MS = 10,
	HOUSEKEEP_START_MS = 500,
	HOUSEKEEP_BEAT_MS = 100,
	HOUSEKEEP_REPORT_MS = 1000,
	CONTROL_HUNG_MS = 1000, // age of a heartbeat from which on no process drains the miss rings
};

enum { TABLE_REPORT_PARTS = 16, TABLE_REPORT_SETS = DEDUP_SETS / TABLE_REPORT_PARTS };

// A walk through one worker's asked keys (dedup.h), part by part.
struct asked_walk {
	unsigned next;
	uint16_t live[TABLE_REPORT_PARTS];
};

struct housekeep_worker {
	struct mbuf_audit audit;
	uint64_t moved;                // frames in and out until the last sample
	uint64_t told;                 // pool_told at the last sample
	bool quiet;                    // no frame moved in this window
	uint32_t reported;             // number of missing buffers that was logged last
	unsigned looks;                // samples of the walk in progress; 0: no walk
	unsigned beats;                // counts calls, to sample a large pool less often
	uint64_t looks_from;           // pool_told when the walk began
	uint64_t next_walk_ms;         // no walk begins before this time
	bool walked;                   // a walk has ended since the pool was last whole
	uint32_t missing[MBUF_OWNERS]; // missing buffers that the last walk found
	struct mbuf_flows rest; // flows when the last quiet window ended without a missing buffer
	struct asked_walk asked;
};

struct housekeep {
	struct worker *const *workers;
	unsigned worker_count;
	struct ports *ports;
	struct steering *steering; // NULL: no AF_XDP ports
	struct stats_region *stats;
	struct worker_rings *worker_rings;
	bool walks; // the ports clear the marks of buffers that they receive into
	int *lock;  // descriptor of dataplane.lock, which must stay; NULL: no lock
	struct limiter *limiter;
	struct link_client link;
	struct activate activate;
	struct drops drops; // drop rules in the ports

	struct housekeep_worker worker[SHM_WORKERS_MAX];
	bool alive;             // is the control plane alive? as the workers know it
	bool hung;              // the control plane was linked, but without a heartbeat
	uint64_t suspended_ms;  // clock_suspended_ms at the last turn
	uint64_t check_from_ms; // before that a heartbeat may be old because of a suspend
	uint64_t next_beat_ms, next_report_ms, next_memory_ms, next_kinds_ms;
	uint64_t gap_told;    // last verdict gap that was logged
	uint64_t errors_seen; // `seen` for recent_errors_report
	struct mem_look look; // count of mappings and descriptors in progress
	uint64_t alive_ms;    // time of the last message for the watchdog
};

// The fill of the pools becomes the base of their audit: call after the ports have started and
// before the workers start. The caller initialises and closes `link` and `activate`.
void housekeep_init(struct housekeep *h, uint64_t now_ms);
void housekeep_turn(struct housekeep *h, uint64_t now_ms);
// Call when the workers run with `hold` set: gives them the tables in shared memory, then clears
// `hold` so that they read frames. Takes HOUSEKEEP_START_MS at most.
void housekeep_start(struct housekeep *h);
// Runs until *stop is set, or a port is gone.
void housekeep_run(struct housekeep *h, const _Atomic int *stop);

// housekeep.c: the packet pools, by mbuf_pool.h.
//
// If a window's count shows that a buffer may be missing, a walk of two seconds follows, and one
// more every ten seconds while that lasts. A log line names the owners of missing buffers, and the
// statistics count the missing buffers of each worker by owner. Main lcore.

enum { HOUSEKEEP_WALK_MS = 10000, HOUSEKEEP_WALK_LOOKS = 20 };

// recent_errors.c: copies the newest kinds of warnings (log_recent.h) into the statistics if
// `*seen`, 0 at first, differs from the log's count. Main lcore.
void recent_errors_report(struct stats_errors *out, uint64_t *seen);

// housekeep.c: writes the data plane's heap by account, and the unaccounted rest, into the
// statistics.
//
// DPDK, its drivers and libbpf allocate with malloc(3) without a hook, but only while they start.
// So bytes in no account before the workers run count as the libraries'. Later bytes in no account
// are unexplained, and are logged once over MEM_DATAPLANE_ALARM. The margin is for the blocks that
// a thread caches after it has freed them, which count as allocated. Main lcore only, each two
// seconds.
enum { HOUSEKEEP_MEMORY_MS = 2000, HOUSEKEEP_KINDS_MS = 10000, MEM_DATAPLANE_ALARM = 1 << 20 };

// table_report.c: writes the figures of the data plane's tables (stats_tables.h) into the
// statistics.
//
// Main lcore only. It reads words that workers write in any case (indices of rings, free buffers of
// pools): a few thousand cache lines a second at most, without work for a worker. It counts the
// asked keys of a worker (dedup.h) part by part, one part a second, so their number is the sum of
// the last whole walk.

// Call each 100 ms: reads the fill of rings and pools for their high-water marks.
void table_report_look(struct housekeep *h);
// Call each second: writes all figures.
void table_report_write(struct housekeep *h, uint64_t now_ms);
