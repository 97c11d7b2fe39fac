// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The layout of the memory that the two processes share, and nothing else:
// docs/reference/shm-abi.md.
//
// Everything is little-endian host layout, offsets never pointers. Each field says who writes it.
// "dp" is weir-dataplane, "cp" is weir-controlplane. Do not trust a field that the other side
// writes: read it once, check it against private constants, then use it.

#include "attr.h"
#include "dns_cookie.h"
#include "dns_identity.h"
#include "dns_reply.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

// Raised with every change of any struct in this file, shm_msg.h, log_msg.h, watch_msg.h,
// shm_stats.h, stats_tables.h, l0_table.h, policy.h, rule_image.h or hops.h.
// Unequal versions refuse each other.
#define SHM_ABI_VERSION 26
#define SHM_MAGIC       UINT64_C(0x31304d4853524557) // "WERSHM01" as bytes in memory order

enum region_kind {
	REGION_NONE = 0,
	REGION_DIRECTORY = 1,  // written by cp
	REGION_L0 = 2,         // written by cp
	REGION_RULE_IMAGE = 3, // written by cp, immutable once published
	REGION_RINGS = 4,      // written by dp
	REGION_MARKS = 5,      // created by dp; bytes set by one worker, cleared by cp
	REGION_STATS = 6,      // written by dp
	REGION_POLICY = 7,     // written by cp, immutable once published
	REGION_HOPS = 8,       // written by cp, immutable once published
	REGION_ANSWERS = 9,    // written by cp: its half of a worker's rings
	REGION_READER = 10,    // written by dp
	REGION_KINDS = 11,
};

enum { SHM_WORKERS_MAX = 64, SHM_RESOLVERS_MAX = 8, SHM_PAGE = 4096, SHM_GEOMETRY_WORDS = 8 };

// First page of every region. Written once by the creator before `magic` is stored with release.
struct region_header {
	_Atomic uint64_t magic; // last of all; 0 while the region is being made
	uint32_t abi_version;
	uint32_t kind;
	uint64_t total_size;  // bytes of the file, this page included
	uint64_t generation;  // which of its kind; counts up from 1 per creator lifetime chain
	uint64_t incarnation; // the process that made it
	uint64_t instance;    // identity of the weir that it belongs to
	uint32_t index;       // worker rings and marks: the worker; else 0
	uint32_t reserved;
	uint64_t geometry[SHM_GEOMETRY_WORDS]; // per kind; see that kind's struct
	uint64_t sum; // keyless XXH3-64 of the bytes from abi_version up to here
};
static_assert(sizeof(struct region_header) == 128);
static_assert(offsetof(struct region_header, geometry) == 56);

// The filter of a watch (watch_msg.h).
struct dp_watch {
	uint64_t until_ms; // clock_mono_ms; 0: nothing is
	uint64_t verdicts; // bits by enum verdict; 0: all
	uint64_t
		name_hash; // contenthash of a lower-case wire name; names below it pass too; 0: any
	uint8_t client[16];                  // IPv4 in the first 4
	uint8_t client_version, client_bits; // version 0: any
	uint8_t frames;                      // 1: with the frame as it came
	uint8_t reserved[3];
	uint16_t id; // number of the watch, copied into its messages
};
static_assert(sizeof(struct dp_watch) == 48);

// What workers need of the configuration and that can change while they run. Written by cp into a
// slot that no one reads yet, then published by directory.config_generation; never changed after.
struct dp_config {
	uint32_t client_ttl_cap_s; // 0: off
	uint32_t stale_ttl_s;      // TTL of a stale answer, 30
	uint16_t udp_limit;        // most bytes of a UDP reply, 512..4096
	uint8_t stale_mode;        // enum stale_mode
	uint8_t blocking_on;       // enum blocking_on
	struct dns_block block;    // group 0's, while there is no policy image with groups
	uint64_t pause_until_ms;   // clock_mono_ms: rules block nothing until then; 0: no pause
	uint64_t group_lists[4];   // lists that apply to group 0, one bit per list number
	uint32_t log_sample;       // queries for each record of the query log; 0: no records
	uint8_t any_minimal;       // 1: ANY is answered by dns_reply_any
	uint8_t rotate;            // 1: addresses by dns_rotate, from query to query
	uint16_t kernel_hundreds;  // DP_KERNEL_FRAMES_UNIT a second; 0: any number
	struct dns_cookie_terms cookies;
	struct dp_watch watch;
	struct dns_identity identity;      // texts of `identity`
	uint64_t block_all_pause_until_ms; // pause_until_ms for groups with block_all
	uint8_t log_detail;                // enum log_detail
	uint8_t takes_notify;              // 1: NOTIFY goes to the control plane (MISS_NOTIFY)
	uint8_t log_level;                 // enum log_level of the data plane; 0: as it is
	uint8_t log_format;                // enum log_format; not with log_level 0
	uint8_t reserved[4];
};
static_assert(sizeof(struct dp_config) == 416);
static_assert(offsetof(struct dp_config, pause_until_ms) == 40);
static_assert(offsetof(struct dp_config, log_level) == 410);
static_assert(offsetof(struct dp_config, log_format) == 411);

// Frames that a worker passes to the kernel (dataplane/stage/exception.h).
enum { DP_KERNEL_FRAMES_UNIT = 100 };

// CLOSED: without rules no client is answered, unless blocking is paused.
enum blocking_on { BLOCKING_OFF = 0, BLOCKING_ON = 1, BLOCKING_CLOSED = 2 };
// What records of the query log have beside the record (log_msg.h).
enum log_detail { LOG_DETAIL_NONE = 0, LOG_DETAIL_ENDS = 1, LOG_DETAIL_MESSAGES = 2 };
enum stale_mode { STALE_ON_FAILURE = 0, STALE_IMMEDIATE = 1 };

enum { DIRECTORY_CONFIG_SLOTS = 4, DIRECTORY_DROPS_MAX = 64 };
enum { DROP_PREFIX_MIN_V4 = 8, DROP_PREFIX_MIN_V6 = 24, DROP_MINUTES_MAX = 1440 };

// A source whose frames the ports drop, by an operator's drop rule (weirctl drops).
struct directory_drop {
	uint8_t bytes[16];  // network order; IPv4 in the first 4; host bits 0
	uint8_t version;    // 4 or 6; 0: no entry
	uint8_t prefix_len; // at least DROP_PREFIX_MIN_*
	uint16_t reserved;
	uint32_t reserved2;
	uint64_t expires_ms; // clock_mono_ms, at most DROP_MINUTES_MAX from now
};
struct directory_drops {
	_Atomic uint64_t sequence; // odd: being written
	struct directory_drop entry[DIRECTORY_DROPS_MAX];
};
static_assert(sizeof(struct directory_drop) == 32);

ATTR_INLINE bool drop_source_is_sane(unsigned version, unsigned prefix_len)
{
	if (version == 4)
		return prefix_len >= DROP_PREFIX_MIN_V4 && prefix_len <= 32;
	return version == 6 && prefix_len >= DROP_PREFIX_MIN_V6 && prefix_len <= 128;
}

// REGION_DIRECTORY, from the second page on. Its file name is fixed ("directory"), so this is where
// a data plane finds everything else. Only cp writes it.
struct directory {
	alignas(CACHE_LINE) _Atomic uint64_t epoch; // quiescence, shm_epoch.h; starts at 1
	// clock_mono_ms, each 100 ms by the first resolver
	alignas(CACHE_LINE) _Atomic uint64_t heartbeat_ms;
	_Atomic uint64_t incarnation; // the running (or last) control plane's
	_Atomic uint32_t state;       // enum cp_state
	uint32_t reserved;
	// Current generation of l0, names, policy and hops: generation << 1 | where (enum
	// shm_where); 0 before the first.
	alignas(CACHE_LINE) _Atomic uint64_t current[REGION_KINDS];
	// Slot config_generation % DIRECTORY_CONFIG_SLOTS is the current one; 0 before the first.
	alignas(CACHE_LINE) _Atomic uint64_t config_generation;
	struct dp_config config[DIRECTORY_CONFIG_SLOTS];
	// Lowest view number that no record of l0 was ever stored under. Stored before the first
	// use of a number; as durable as the current l0, which is found through this page.
	_Atomic uint32_t next_view;
	uint32_t reserved2;
	// Hash of everyone's upstreams, forwarding zones and local CNAMEs under which l0 was
	// filled; 0: several, or unknown.
	_Atomic uint64_t filled_by;
	// The file `reader` that cp has mapped: the incarnation in its header; or 0. A data
	// plane of another file uses nothing of this directory while a control plane runs.
	_Atomic uint64_t reader_file;
	alignas(CACHE_LINE) struct directory_drops drops;
};
static_assert(offsetof(struct directory, heartbeat_ms) == 64);
static_assert(offsetof(struct directory, current) == 128);
static_assert(offsetof(struct directory, config_generation) == 256);
static_assert(offsetof(struct directory, filled_by) == offsetof(struct directory, next_view) + 8);
static_assert(offsetof(struct directory, reader_file) == offsetof(struct directory, filled_by) + 8);
static_assert(sizeof(struct directory) == SHM_PAGE);

// REGION_READER, from the second page on. Its file name is fixed ("reader"), and a data plane that
// starts goes on with the file of its predecessor, which cp may have mapped.
struct reader_page {
	// Incarnation of the data plane whose workers may be reading what the directory leads to;
	// stored before the first of them does. 0: no worker ever did. See shm_epoch.h.
	alignas(CACHE_LINE) _Atomic uint64_t life;
	// Where dp looks for regions on hugetlbfs (shm_huge_place); 0: not said yet.
	_Atomic uint64_t huge;
};
static_assert(sizeof(struct reader_page) == 64);

enum cp_state { CP_STARTING = 0, CP_SERVING = 1, CP_STOPPING = 2 };
enum shm_where { SHM_IN_MEM = 0, SHM_IN_HUGE = 1 };

// One side of a byte ring (shm_ring.h), alone on its cache line.
struct ring_index {
	alignas(CACHE_LINE) _Atomic uint64_t units; // free-running count of units of 64 bytes
	_Atomic uint32_t sleeping;                  // consumer side only: 1 = ring the doorbell
	uint32_t reserved[13];
};
static_assert(sizeof(struct ring_index) == 64);

// REGION_RINGS ("rings.<worker>[.<resolver>]") and REGION_ANSWERS ("answers...") are the two halves
// of a worker's rings with one resolver, each written by one process, read by the other. dp makes
// the first for resolver 0 at its start, for others once a cache that they share is activated; cp
// makes the second when it finds the first, and dp maps it then. Until then dp reads zeros there,
// which is what new answers are.
//
// Rings: geometry[0] = units of the miss ring, [2] = of the log ring (powers of two; 0 log units:
// none), [3] = the resolver. Answers: [1] = units of the answer ring, [3] = the resolver, [4] = the
// incarnation of the rings that they belong to. Only resolver 0's rings have a log ring, and only
// its words other than the two rings' indices are used.
struct rings_dp_page { // page 1 of rings: only dp writes
	alignas(CACHE_LINE) _Atomic uint64_t
		seen_epoch; // EPOCH_OFFLINE (also in new rings, set before region_publish: 0
			    // would delay the writer), or the last epoch seen while quiescent
	_Atomic uint64_t heartbeat_ms;
	_Atomic uint64_t returned; // the last value of `evicted` that this worker has taken up
	alignas(CACHE_LINE) struct ring_index miss_tail;
	struct ring_index answer_head;
	// Newest generation whose predecessor this worker no longer touches.
	alignas(CACHE_LINE) _Atomic uint64_t activated_l0;
	_Atomic uint64_t activated_rules;
	_Atomic uint64_t activated_config;
	_Atomic uint64_t activated_policy; // which is a copy: nothing waits for it
	_Atomic uint64_t activated_hops;   // a copy too
	alignas(CACHE_LINE) struct ring_index log_tail;
	_Atomic uint64_t log_owed; // queries that no record on the log ring represents
	alignas(CACHE_LINE) _Atomic uint64_t answers;
};
static_assert(offsetof(struct rings_dp_page, miss_tail) == 64);
static_assert(offsetof(struct rings_dp_page, answer_head) == 128);
static_assert(offsetof(struct rings_dp_page, activated_l0) == 192);
static_assert(offsetof(struct rings_dp_page, activated_hops) == 224);
static_assert(offsetof(struct rings_dp_page, log_tail) == 256);
static_assert(offsetof(struct rings_dp_page, answers) == 384);
static_assert(sizeof(struct rings_dp_page) <= SHM_PAGE);

struct rings_cp_page { // page 1 of answers: only cp writes
	struct ring_index miss_head;
	struct ring_index answer_tail;
	struct ring_index log_head;
	// Raised with each eviction of this worker (shm_epoch.h) and in a file that is made again;
	// alone on its line: the worker loads it twice a batch. Of the first resolver's rings only.
	alignas(CACHE_LINE) _Atomic uint64_t evicted;
};
static_assert(offsetof(struct rings_cp_page, answer_tail) == 64);
static_assert(offsetof(struct rings_cp_page, evicted) == 192);
static_assert(sizeof(struct rings_cp_page) <= SHM_PAGE);

enum {
	RINGS_DP_PAGE = SHM_PAGE,
	RINGS_MISS_RING = 2 * SHM_PAGE, // then the log ring
	ANSWERS_CP_PAGE = SHM_PAGE,
	ANSWERS_RING = 2 * SHM_PAGE,
	RING_UNIT = 64,
	RINGS_MISS_UNITS = 32768, // 2 MiB: some 6,500 misses of 5 units
	RINGS_ANSWER_UNITS = 32768,
	RINGS_LOG_UNITS = 65536,                                      // 4 MiB: some 32,000 records
	ANSWERS_SIZE = ANSWERS_RING + RINGS_ANSWER_UNITS * RING_UNIT, // bytes of the file
};

// REGION_MARKS, which both sides write: geometry[0] = record units of the L0 generation that it
// belongs to; one byte per unit from the second page on. `generation` equals that of the l0 region.
// Bits 2 to 7 of a record's first unit: hits of this worker since the control plane last took them;
// the count stops at MARK_HITS_MAX, so that the cache line of a hot record then stays clean.
enum { MARK_VISITED = 1, MARK_REFRESH = 2, MARK_HIT = 4, MARK_HITS_MAX = 63 };
enum { MARK_HITS = MARK_HIT * MARK_HITS_MAX };
static_assert((MARK_HITS | MARK_REFRESH | MARK_VISITED) == UINT8_MAX);

// REGION_L0: l0_table.h. REGION_RULE_IMAGE: rule_image.h. REGION_POLICY: policy.h.
// REGION_HOPS: hops.h. REGION_STATS: shm_stats.h.
