// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The main lcore's loop while the workers run: each 10 ms the clock, the link, new generations of
// the control plane and the rate limits, each 100 ms the heartbeat and a sample of the packet pools
// and rings, each second the ports' statistics, the mbuf audit, the figures of all tables
// (table_report.c), and the reconciliation of received frames with verdicts. It never waits for
// another thread; it sleeps between rounds, and signals may cut that short.

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
	CONTROL_HUNG_MS = 1000, // with a heartbeat older than this no process drains the miss rings
};

enum { TABLE_REPORT_PARTS = 16, TABLE_REPORT_SETS = DEDUP_SETS / TABLE_REPORT_PARTS };

// Of one worker's asked keys, by part.
struct asked_walk {
	unsigned next;
	uint16_t live[TABLE_REPORT_PARTS];
};

struct housekeep_worker {
	struct mbuf_audit audit;
	uint64_t moved;                // frames in and out, at the last sample
	uint64_t told;                 // pool_told, at the last sample
	bool quiet;                    // none moved in this window
	uint32_t reported;             // missing buffers, in the last line of the log about them
	unsigned looks;                // of a walk in progress; 0: there is none
	unsigned beats;                // for the pace of these
	uint64_t looks_from;           // pool_told, when that began
	uint64_t next_walk_ms;         // not before
	bool walked;                   // one has ended since the pool was last whole
	uint32_t missing[MBUF_OWNERS]; // what the last walk found
	struct mbuf_flows rest; // at the end of the last quiet window without a buffer missing
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
	int *lock;  // of dataplane.lock, which is kept there; NULL: none
	struct limiter *limiter;
	struct link_client link;
	struct activate activate;
	struct drops drops; // by the ports themselves

	struct housekeep_worker worker[SHM_WORKERS_MAX];
	bool alive;             // the control plane's state as given to the workers
	bool hung;              // it was linked and silent
	uint64_t suspended_ms;  // clock_suspended_ms, at the last turn
	uint64_t check_from_ms; // before that a heartbeat may be old because of a suspend
	uint64_t next_beat_ms, next_report_ms, next_memory_ms, next_kinds_ms;
	uint64_t gap_told;    // last verdict gap that was logged
	uint64_t errors_seen; // of recent_errors_report
	struct mem_look look; // at mappings and descriptors
	uint64_t alive_ms;    // of the last message for the watchdog
};

// Takes the pools' fill as the base of their audit: call after the ports have started and before
// the workers have. link and activate are the caller's to initialise and to close.
void housekeep_init(struct housekeep *h, uint64_t now_ms);
void housekeep_turn(struct housekeep *h, uint64_t now_ms);
// Once the workers run, with `hold` set: hands them what lies in shared memory, then lets them read
// frames. HOUSEKEEP_START_MS at most.
void housekeep_start(struct housekeep *h);
// Until *stop is set, or a port is gone.
void housekeep_run(struct housekeep *h, const _Atomic int *stop);

// housekeep.c: the packet pools, by mbuf_pool.h.
//
// Where a window's count says that a buffer may be missing, a walk of two seconds follows, and
// another one every ten seconds while it does. The first buffer that a walk finds is logged with
// its owner; the statistics have the missing buffers of each worker by owner. Main lcore.

enum { HOUSEKEEP_WALK_MS = 10000, HOUSEKEEP_WALK_LOOKS = 20 };

// recent_errors.c: the newest kinds of warnings (log_recent.h), for the statistics. Copies them
// when
// `*seen`, 0 at first, differs from the log's count. Main lcore.
void recent_errors_report(struct stats_errors *out, uint64_t *seen);

// housekeep.c: writes the data plane's heap by account, and the unaccounted rest, into the
// statistics.
//
// DPDK, its drivers and libbpf allocate with malloc(3) without a hook, but only while they start.
// Bytes in no account before the workers run are theirs; later ones are unexplained, and over
// MEM_DATAPLANE_ALARM logged once. A thread's cache of freed blocks counts as handed out, hence the
// margin. Main lcore only, each two seconds: alarms come within a minute.
enum { HOUSEKEEP_MEMORY_MS = 2000, HOUSEKEEP_KINDS_MS = 10000, MEM_DATAPLANE_ALARM = 1 << 20 };

// table_report.c: writes the figures of the data plane's tables (stats_tables.h) into the
// statistics.
//
// Main lcore only. Each look reads words that workers write in any case (indices of rings, free
// buffers of pools): a few thousand cache lines a second at most, and no worker counts for it. The
// asked keys of a worker (dedup.h) are walked by parts, one a second, so their number is that of
// the last whole walk.

// Each 100 ms: the fill of rings and pools, for their high water.
void table_report_look(struct housekeep *h);
// Each second: all of it.
void table_report_write(struct housekeep *h, uint64_t now_ms);
