// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The data plane's statistics, copied out of its region, and the state of both processes.
//
// Works without any process: it reads the region of a dead data plane as that left it.
// region_attach has checked the header. This checks the geometry against the lists of this build,
// so that it refuses numbers of another version and does not show them under wrong names.

#include "mem_account.h"
#include "shm_abi.h"
#include "shm_region.h"
#include "shm_stats.h"
#include "steer_abi.h"

#include <stdbool.h>

enum { STATS_HUNG_MS = 1000 }; // heartbeats come each 100 ms

// Unknown: we have no permission to look. Starting and stopping are of the control plane, in its
// own words: it has no heartbeat then, and does not answer.
enum process_state {
	PROCESS_DOWN,
	PROCESS_UP,
	PROCESS_HUNG,
	PROCESS_UNKNOWN,
	PROCESS_STARTING,
	PROCESS_STOPPING,
};
const char *process_state_text(enum process_state s); // "down", "up", ...

struct stats_worker_copy {
	uint64_t verdict[VERDICT_COUNT], counter[COUNTER_COUNT];
	uint64_t group[STATS_GROUPS_MAX];
	uint64_t heartbeat_ms, mbuf_breaches;
	uint32_t lcore, online, mbuf_size, mbuf_free;
	uint32_t mbuf_missing[MBUF_OWNERS]; // counted for the last owner
	uint32_t bench_mode;                // enum bench_mode
	bool has_rings;                     // the worker rings could be read (root)
	uint32_t miss_used, miss_size, answer_used, answer_size; // units
	struct stats_table_copy table[STATS_WORKER_TABLES];
};

struct stats_port_copy {
	uint64_t ipackets, opackets, imissed, ierrors, oerrors, rx_nombuf;
	bool link_up, is_exception, is_xdp;
	uint64_t steer[STEER_COUNTERS]; // where is_xdp
	uint32_t link_speed_mbps, link_changes, features;
	uint16_t mtu, queues;
	uint8_t mac[6];
	char name[STATS_PORT_NAME]; // not escaped
};

struct stats_memory_copy {
	uint64_t allocated, held, accounted, libraries, unexplained, unexplained_max, alarms;
	bool alarming;
	uint64_t account[STATS_ACCOUNTS_MAX];
};

struct stats_copy {
	uint64_t taken_ms, incarnation;
	uint64_t heartbeat_ms, start_ms, l0_generation, rule_image_generation, config_generation,
		policy_generation, hops_generation, verdict_gap, limit_empty, tsc_hz;
	uint32_t pid, control_seen, drops_in_force, drops_refused, ended, former_end, log_lost,
		drops_partial;
	uint64_t former_incarnation;
	char version[BUILD_TEXT_MAX], commit[BUILD_TEXT_MAX]; // printable
	unsigned workers, ports;
	uint64_t verdict[VERDICT_COUNT], counter[COUNTER_COUNT]; // sums of all workers
	uint64_t group[STATS_GROUPS_MAX];                        // queries of all workers
	uint64_t rcode[STATS_RCODES], type[STATS_TYPES];         // sums of all workers, to `stage`
	struct took outcome[OUTCOME_COUNT], stage[STAGE_COUNT];
	unsigned errors;
	uint64_t errors_replaced;
	struct stats_error error[STATS_ERRORS_MAX]; // newest first, texts not escaped
	struct stats_table_copy table[STATS_PROCESS_TABLES];
	struct stats_memory_copy memory;
	unsigned sites;
	uint64_t dpdk_bytes;                     // bytes of all sites of DPDK's memory
	struct stats_site site[STATS_SITES_MAX]; // the largest first, names not escaped
	struct mem_kinds kinds;
	struct stats_port_copy port[STATS_PORTS_MAX];
	struct stats_worker_copy worker[SHM_WORKERS_MAX];
};

// The fields that `weirctl status` and `weirctl stats` show. GET /v1/dataplane has each under its
// name (controlplane/api/api_dataplane.c), and weirctl on another machine reads it back
// (tools/ctl/lib/stats_out.c). What a box of another version does not send is 0.
#define STATS_PROCESS_FIELDS(X)  \
	X(pid)                   \
	X(taken_ms)              \
	X(start_ms)              \
	X(heartbeat_ms)          \
	X(control_seen)          \
	X(verdict_gap)           \
	X(limit_empty)           \
	X(l0_generation)         \
	X(rule_image_generation) \
	X(config_generation)     \
	X(policy_generation)     \
	X(hops_generation)

#define STATS_WORKER_FIELDS(X) \
	X(lcore)               \
	X(online)              \
	X(bench_mode)          \
	X(heartbeat_ms)        \
	X(mbuf_size)           \
	X(mbuf_free)           \
	X(mbuf_breaches)       \
	X(has_rings)           \
	X(miss_used)           \
	X(miss_size)           \
	X(answer_used)         \
	X(answer_size)

#define STATS_PORT_FIELDS(X) \
	X(is_exception)      \
	X(is_xdp)            \
	X(link_up)           \
	X(ipackets)          \
	X(opackets)          \
	X(imissed)           \
	X(ierrors)           \
	X(oerrors)           \
	X(rx_nombuf)         \
	X(link_speed_mbps)   \
	X(link_changes)      \
	X(features)          \
	X(mtu)               \
	X(queues)

// "rx", "tx", "drop_runt", ...; "?": no such owner.
const char *stats_owner_name(unsigned owner);

// "steered", "gate_shut", ...
extern const char *const steer_counter_names[STEER_COUNTERS];

// Missing buffers by owner, most first: "drop_runt 12, tx 1, ..."; empty if none is missing.
enum { STATS_OWNERS_TEXT = 128 };
void stats_owners_text(const uint32_t missing[MBUF_OWNERS], char out[STATS_OWNERS_TEXT]);

// None while they are being written, or of a region that is damaged.
void stats_sites_copy(struct stats_copy *out, const struct stats_sites *s);

// Packet buffers of all workers: missing by their last owner, whose sum it returns.
uint32_t stats_mbufs_missing(const struct stats_copy *s, uint32_t by[MBUF_OWNERS]);

// DPDK's memory by user, in bytes; `others`: further calls of weir's own; `drivers`: the rest,
// ports and their descriptor rings.
struct stats_eal {
	uint64_t buffers, workers, others, drivers, free;
};
struct stats_eal stats_eal_split(const struct stats_copy *s);

// -ENOENT: no data plane has run since boot. -EPROTO: of another version. `why` says what.
ATTR_MUST_CHECK int stats_read(
	const struct shm_paths *paths, struct stats_copy *out, char why[SHM_WHY_MAX]);

// The state of the data plane by its lock and the heartbeat (`s` may be NULL).
enum process_state dataplane_state(const struct shm_paths *paths, const struct stats_copy *s);
// The state of the control plane by its lock and the heartbeat of its resolver loop where it may be
// read
// (`*silent_ms`: its age, set with PROCESS_HUNG, STARTING and STOPPING).
enum process_state controlplane_state(const struct shm_paths *paths, uint64_t *silent_ms);
