// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// One worker: a poll-mode lcore that answers the packets of its queues, run to completion.
//
// A `struct worker` belongs to its lcore thread; the main lcore writes only the fields that say so.
// Between rx and tx a worker takes no lock, allocates nothing, makes no system call of its own and
// writes no line that another worker writes (for what the kernel and resolvers send it does:
// kernel_flows.h, asked_ports.h).
// All that it uses of the control plane's regions is in one immutable `struct worker_tables`; the
// main lcore maps new generations (activate.h), publishes a new struct, and frees the old one after
// every worker has moved on.

#include "asked_ports.h"
#include "dedup.h"
#include "fairness.h"
#include "kernel_flows.h"

#include <rte_ether.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include <weir/bell.h>
#include <weir/clock.h>
#include <weir/config.h>
#include <weir/hops.h>
#include <weir/l0_table.h>
#include <weir/limit.h>
#include <weir/log_writer.h>
#include <weir/policy.h>
#include <weir/rule_image.h>
#include <weir/shm_epoch.h>
#include <weir/shm_ring.h>
#include <weir/shm_stats.h>
#include <weir/watch_msg.h>

enum { WORKER_BATCH = 32, CYCLES_SHIFT = 20 };
// Each port, and worker 0 its rest queue as well.
enum { WORKER_PORTS_MAX = 2 * CONFIG_PORTS_MAX };

struct worker_tables {
	bool has_l0, has_rules;
	bool has_groups;    // policy_has_groups
	bool has_access;    // not everyone may ask as often as they like
	bool has_balancers; // queries of some senders begin with a PROXY header (stage_proxy.c)
	bool is_closed;     // no policy image yet: no client may ask
	struct l0_reader l0;
	struct rule_reader rules;
	struct policy_reader policy; // when has_groups, has_access or has_balancers
	struct hops_reader hops;     // has no servers until there is an image
	struct dp_config config;     // defaults until the control plane has published one
	_Atomic uint8_t *marks[SHM_WORKERS_MAX]; // one byte per L0 unit, each worker its own
	uint64_t l0_generation, rule_image_generation, config_generation, policy_generation,
		hops_generation; // 0 without an image
};

// The port's own address, that of its kernel interface, and `ports[].macs`.
enum { WORKER_MACS_MAX = 2 + CONFIG_PORT_MACS_MAX };

// A client port as a worker sees it. Written by main before launch, then constant.
struct worker_port {
	uint16_t port_id;      // DPDK port of the clients
	uint16_t exception_id; // DPDK port to the kernel
	uint16_t queue;        // this worker's queue on both, to send
	uint16_t rx_queue;     // the clients' port: `queue`, or the rest queue (port_flow.h)
	bool has_exception;
	bool has_partial;      // some UDP checksums are partial (frame_csum_is_partial)
	bool is_screened;      // stage_screen.c checks frames first
	const uint64_t *vlans; // a bit for each VLAN that it takes, 0: no tag; NULL: takes all
	uint16_t dns_most;     // longest message that a frame on this port can carry
	// Of an AF_XDP port, else NULL (steering_bind): until when, by the main lcore, replies of
	// upstream servers reach workers and not the kernel, and the steering program's table.
	const _Atomic uint64_t *steers_until_ms;
	struct asked_ports *steered;
	struct rte_ether_addr mac;
	// For a port that sees frames for other hosts: the MAC addresses that it accepts beside
	// multicast, as the first eight bytes of a frame hold them (stage_screen.c). Nearly all
	// frames have the first of them. 0: the port compares nothing.
	unsigned mac_count;
	uint64_t macs[WORKER_MACS_MAX];
};

// Is it the entry that also takes frames from the kernel? A port's rest queue has one of its own.
ATTR_INLINE bool worker_port_reads_kernel(const struct worker_port *p)
{
	return p->has_exception && p->rx_queue == p->queue;
}

struct worker_service { // service addresses, constant
	unsigned v4_count, v6_count;
	rte_be32_t v4[CONFIG_ADDRESSES_MAX];
	rte_be32_t v4_broadcast[CONFIG_ADDRESSES_MAX]; // the network's broadcast address; without a
						       // network the address itself
	uint8_t v6[CONFIG_ADDRESSES_MAX][16];
};

// Microseconds from the TSC, set by the clock each time that the worker's heart beats: asking the
// clock itself may be a system call. scale 0: no EAL, milliseconds have to do.
struct log_clock {
	uint64_t us, tsc;
	uint64_t scale; // microseconds a cycle, with LOG_CLOCK_BITS behind the point
};
enum { LOG_CLOCK_BITS = 32 };

ATTR_INLINE struct log_clock log_clock_at(uint64_t us, uint64_t tsc, uint64_t hz)
{
	uint64_t scale = hz ? (UINT64_C(1000000) << LOG_CLOCK_BITS) / hz : 0;
	return (struct log_clock){.us = us, .tsc = tsc, .scale = scale};
}

// Buckets of frames to the kernel, by class (exception.h). In cycles of the TSC: when a bucket is
// full again, the cost of a frame, and its size.
enum { WORKER_EXCEPTION_CLASSES = 9 };
enum { EXCEPTION_WAITING = CONFIG_KERNEL_WAITING, EXCEPTION_SLOTS = 512 };
struct exception {
	struct rte_mbuf *waiting[EXCEPTION_SLOTS]; // EXCEPTION_WAITING at most, and for whom
	const struct worker_port *waiting_for[EXCEPTION_SLOTS];
	uint32_t head, tail; // first and behind the last, free-running
	uint32_t rate;       // a second, of all that follows; 0: no limit
	struct exception_bucket {
		uint64_t full_at, step, depth;
	} bucket[WORKER_EXCEPTION_CLASSES];
};

struct worker {
	// Constant after launch.
	unsigned index;
	unsigned lcore;
	enum poll_mode poll;
	unsigned port_count;
	struct worker_port port[WORKER_PORTS_MAX];
	const struct worker_service *service;
	struct rte_mempool *pool; // this worker's: single producer, single consumer
	uint64_t dp_incarnation;
	int bell; // the end (bell.h) that hears the control plane's rings; 0 and below without one
	int bell_far;                // the other one, which is rung for us from here too
	int gong[SHM_RESOLVERS_MAX]; // struck for misses; all workers have the same ones
	struct stats_worker *stats;
	struct rings_dp_page *rings;
	struct limit_table *limit;       // this worker's
	struct asked_ports *asked_ports; // shared by all workers
	uint64_t slow_cycles; // a burst that takes longer has slow frames; set once by the worker
	uint64_t kernel_look_cycles; // between looks at exception ports (stage_exceptions)
	uint64_t ns_shifted;         // nanoseconds a cycle, shifted by CYCLES_SHIFT

	// Written by the main lcore, read here.
	_Atomic(const struct worker_tables *) next_tables;
	_Atomic(const _Atomic uint64_t *) next_epoch; // directory.epoch, NULL: no directory
	_Atomic uint32_t control_alive;               // 1: someone drains the miss ring
	_Atomic uint32_t hold; // 1: its first tables are on their way, no frame is read
	_Atomic uint32_t stop;
	_Atomic uint32_t bells_taken;  // raised after other sockets have taken the bells' numbers
	_Atomic uint64_t suspended_ms; // clock_suspended_ms

	// Written here, read by the main lcore.
	_Atomic(const struct worker_tables *) tables_in_use;
	_Atomic(const _Atomic uint64_t *) epoch_in_use;
	// At its last beat, when it held no frames except those for the kernel: in the lower half
	// the buffers out of its pool, in the upper half the number of such counts.
	_Atomic uint64_t pool_told;
	_Atomic uint32_t on_timer; // 1: interrupts of its ports do not arrive (idle_sleep.h)

	// The worker's own.
	const struct worker_tables *tables;
	// Rules settled more than one in eight of the last batch, and so probably of the next one.
	bool rules_settle;
	struct epoch_reader epoch;
	// One of each for each resolver. The main lcore sets those behind the first before it hands
	// over the first tables that so many resolvers share.
	struct ring_producer miss[SHM_RESOLVERS_MAX];
	struct ring_consumer answer[SHM_RESOLVERS_MAX];
	unsigned resolvers; // rings that may have answers: the tables', and those not read empty
	uint64_t anomalies_left; // counted by rings that are polled no more
	unsigned answer_next;    // the ring whose answers are taken first in the next turn
	struct dedup dedup;
	struct log_writer log;
	struct log_clock log_clock;
	uint64_t now_ms;       // the clock of the current batch
	uint32_t turn;         // the turn of addresses (rotation), from reply to reply
	unsigned answers_held; // the next stage_answer takes so many less than ANSWERS_PER_TURN
	uint32_t until_timed;  // batches before one whose stages are timed
	bool watching;         // a watch is active (watch.c)
	uint64_t settled[OUTCOME_other]; // frames by outcome, when the batch before ended
	struct fairness fairness;
	struct closed_pace closed;
	struct closed_pace notify;
	struct exception exception;
	struct kernel_flows kernel_flows;
	uint64_t kernel_looked_tsc; // when exception ports were read last
	uint32_t
		watched_trace[WORKER_BATCH]; // numbers of those that became misses; 0 if it did not
	uint32_t traces;                     // numbers given out, from anywhere on
	// Received frames of a batch, truncated, during a watch or while the log has messages.
	uint16_t came_len[WORKER_BATCH],
		came_at[WORKER_BATCH]; // lengths, and places in their buffers
	uint8_t came[WORKER_BATCH][WATCH_FRAME_MAX];
};

// The loop; returns 0 after `stop`. `arg` is the struct worker. Runs on its lcore.
int worker_main(void *arg);

// The time, without a system call (clock.h).
ATTR_INLINE uint64_t worker_clock_ms(const struct worker *w)
{
	return clock_mono_coarse_ms(atomic_load_explicit(&w->suspended_ms, memory_order_relaxed));
}

// Counts the pool (pool_told): each beat, at the top of the loop. Exposed for tests.
void worker_tell_pool(struct worker *w);

// From another thread: a worker that sleeps looks at once at what was published for it.
ATTR_INLINE void worker_wake(const struct worker *w)
{
	if (w->bell_far > 0)
		bell_ring(w->bell_far);
}

// One turn of the loop for one port: receive, all stages, send. Number of frames received. Exposed
// so that packet tests drive the very same pipeline over net_ring ports.
unsigned worker_turn(struct worker *w, unsigned port_index);

// The service addresses as workers compare them. Pure.

void service_from_config(struct worker_service *out, const struct config_dataplane *dp);
