// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Every long-lived table, pool, ring and queue of the data plane, and where its figures lie in the
// region of statistics.
//
// Both processes know the names, what happens when a table is full, and which columns it has, so
// these are here. The figures are in shared memory (shm_stats.h): those of each worker's tables in
// its block, those of the process in the region. The main lcore alone writes them: rings and packet
// pools each 100 ms for their high water, all others each second. Workers count nothing for them
// between rx and tx. The control plane adds them to its registry (api_tables.c) for `weirctl mem
// tables`, the API and the metrics. tools/lint refuses a file of dataplane/ that allocates or maps
// for none of them.

#include "attr.h"

#include <stdatomic.h>
#include <stdint.h>

// The columns that a table has; docs/reference/memory.md says why for each.
enum stats_table_notion {
	STATS_TABLE_AGES = 1,
	STATS_TABLE_EVICTS = 2,
	STATS_TABLE_REFUSES = 4,
};

// What a table is for, as enum table_kind of the control plane's registry says.
enum stats_table_purpose { STATS_TABLE_CACHE = 1, STATS_TABLE_WORK, STATS_TABLE_FIXED };

// Tables of each worker: name, purpose, notions, what happens when it is full, how long an entry
// stays. All workers share one dp_kernel_flows, reported for the first.
#define STATS_WORKER_TABLE_LIST(X)                                                                 \
	X(dp_buffers, WORK, STATS_TABLE_REFUSES, "send no answer, or the port drops",              \
		"from rx to tx")                                                                   \
	X(dp_miss_ring, WORK, STATS_TABLE_REFUSES, "stale answer, SERVFAIL or drop", "until read") \
	X(dp_answer_ring, WORK, STATS_TABLE_REFUSES, "drop the answer", "until read")              \
	X(dp_log_ring, WORK, STATS_TABLE_REFUSES, "count it in the next record's weight",          \
		"until read")                                                                      \
	X(dp_asked, CACHE, STATS_TABLE_AGES | STATS_TABLE_EVICTS, "evict the oldest of 4", "2 s")  \
	X(dp_fairness, FIXED, 0, "halve all counts", "1 s after the miss ring was half full")      \
	X(dp_kernel_queue, WORK, STATS_TABLE_REFUSES, "drop the frame",                            \
		"until an iteration has time")                                                     \
	X(dp_kernel_flows, CACHE, STATS_TABLE_EVICTS, "evict the oldest of 8", "until evicted")    \
	X(dp_watched, WORK, STATS_TABLE_REFUSES, "cannot be full: one batch", "one batch")         \
	X(dp_marks, FIXED, 0, "cannot be full: a byte for each unit of L0",                        \
		"life of the L0 generation")

// Tables of the process.
#define STATS_PROCESS_TABLE_LIST(X)                                                            \
	X(dp_workers, FIXED, 0, "cannot be full: made at start", "life of the process")        \
	X(dp_sets, FIXED, 0, "the next one waits for the workers",                             \
		"until all workers have a newer one")                                          \
	X(dp_images, FIXED, 0, "the next one waits for the workers",                           \
		"until all workers have a newer one")                                          \
	X(dp_limits, FIXED, 0, "cannot be full: clients share buckets",                        \
		"until the bucket is full again")                                              \
	X(dp_drops, WORK, STATS_TABLE_REFUSES, "refuse", "24 h at most")                       \
	X(dp_errors, CACHE, STATS_TABLE_EVICTS, "evict the kind that was seen longest ago",    \
		"life of the process")                                                         \
	X(dp_rx_rings, WORK, STATS_TABLE_REFUSES, "the port drops", "until a worker reads it") \
	X(dp_tx_rings, WORK, STATS_TABLE_REFUSES, "drop the frame", "until sent")              \
	X(dp_xdp_sockets, FIXED, 0, "cannot be full: made at start", "life of the process")    \
	X(dp_eal_heap, FIXED, 0, "refuse: DPDK gets no more", "until freed")                   \
	X(dp_memzones, FIXED, 0, "refuse: DPDK gets no more", "life of the process")           \
	X(dp_stats, FIXED, 0, "cannot be full: made at start", "life of the process")

enum stats_worker_table {
#define X(name, kind, has, eviction, lifetime) STATS_##name,
	STATS_WORKER_TABLE_LIST(X)
#undef X
		STATS_WORKER_TABLES
};

enum stats_process_table {
#define X(name, kind, has, eviction, lifetime) STATS_##name,
	STATS_PROCESS_TABLE_LIST(X)
#undef X
		STATS_PROCESS_TABLES
};

enum { STATS_WORKER_TABLES_MAX = 16, STATS_PROCESS_TABLES_MAX = 24 };
static_assert((int)STATS_WORKER_TABLES <= (int)STATS_WORKER_TABLES_MAX);
static_assert((int)STATS_PROCESS_TABLES <= (int)STATS_PROCESS_TABLES_MAX);

struct stats_table_kind {
	const char *name, *eviction, *lifetime;
	unsigned has; // bits of enum stats_table_notion
	enum stats_table_purpose kind;
};
extern const struct stats_table_kind stats_worker_table_kinds[STATS_WORKER_TABLES];
extern const struct stats_table_kind stats_process_table_kinds[STATS_PROCESS_TABLES];

// Rings between the processes count in units (RING_UNIT), dp_eal_heap in bytes, else entries.
struct stats_table {
	alignas(CACHE_LINE) _Atomic uint64_t cap;
	_Atomic uint64_t used, high; // high: most that any look saw
	_Atomic uint64_t bytes;      // reserved
	_Atomic uint64_t shared;     // the part in regions that both processes map
	_Atomic uint64_t evicted, refused;
	_Atomic uint64_t oldest_ms; // age; 0 without an entry
};
static_assert(sizeof(struct stats_table) == CACHE_LINE);

struct stats_table_copy {
	uint64_t cap, used, high, bytes, shared, evicted, refused, oldest_ms;
};

// The allocation sites of the data plane (heap_site.h) that have bytes, by the main lcore each two
// seconds. There is room for all: the program has 80 with those of libraries. Should there be more,
// those with the fewest bytes are missing. `sequence` is odd while it is written; a reader takes an
// even one that is the same before and after.
enum { STATS_SITES_MAX = 128, STATS_SITE_NAME = 104 };
struct stats_site {
	uint64_t bytes, blocks;     // out now
	uint32_t is_dpdk, reserved; // 1: of DPDK's memory (rte_malloc)
	char name[STATS_SITE_NAME]; // "function (file.c:line)", or a library's
};
struct stats_sites {
	alignas(CACHE_LINE) _Atomic uint64_t sequence;
	_Atomic uint64_t dpdk_bytes; // bytes of all sites of DPDK's memory
	uint64_t count;
	struct stats_site site[STATS_SITES_MAX]; // the largest first
};
static_assert(sizeof(struct stats_site) == 2 * CACHE_LINE);

// Who had a packet buffer last (docs/reference/memory.md), by which missing buffers are counted: an
// owner of this list, or, from MBUF_OWNER_VERDICTS on, the verdict under which the frame was
// dropped.
#define MBUF_OWNER_LIST(X) \
	X(port) X(rx) X(answer) X(kernel_rx) X(kernel_queue) X(kernel_tx) X(tx) X(tx_full)

enum mbuf_owner {
#define X(name) MBUF_OWNER_##name,
	MBUF_OWNER_LIST(X)
#undef X
		MBUF_OWNER_VERDICTS,           // the verdicts follow
	MBUF_OWNERS = MBUF_OWNER_VERDICTS + 64 // STATS_VERDICTS_MAX
};

// The heap of the data plane, by the main lcore each two seconds (housekeep.h): bytes.
// `libraries` is what DPDK and other libraries had from the allocator before the workers started.
// They allocate no more later, so unaccounted memory is counted from there.
enum { STATS_ACCOUNTS_MAX = 32 };
struct stats_memory {
	alignas(CACHE_LINE) _Atomic uint64_t allocated;
	_Atomic uint64_t held;
	_Atomic uint64_t accounted, libraries;
	_Atomic uint64_t unexplained, unexplained_max, alarms;
	_Atomic uint64_t alarming;                    // 1: over MEM_DATAPLANE_ALARM now
	_Atomic uint64_t account[STATS_ACCOUNTS_MAX]; // enum mem_account
};
static_assert(sizeof(struct stats_memory) == 5 * CACHE_LINE);
