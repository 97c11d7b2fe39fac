// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// How a worker in adaptive mode waits when nothing comes: in the kernel, offline, until a port, an
// answer of the control plane or the main lcore wakes it, or the time is over.
//
// A port whose driver gives a descriptor for each RX queue (TAP: the queue itself, which is
// readable while frames lie there; NICs on vfio: an eventfd, armed before each sleep) wakes the
// worker at once, and IDLE_SLEEP_BELL_MS is only the backstop that keeps the heartbeat going. If
// one queue of the worker has none (memif, AF_XDP, net_pcap, net_ring in DPDK 22.11), time has to
// do: the first sleep is short and each further one longer, IDLE_SLEEP_MOST_US at most, which is
// the longest that a first frame waits, and how long its RX ring must last (1024 frames: one
// million a second).
//
// Nothing is lost on the way into a sleep: an armed queue and the answer ring are polled once
// more, a level-triggered descriptor needs no arming. A descriptor that reports an error, or that
// is readable while its port receives nothing (IDLE_SLEEP_FRUITLESS times in a row), is not waited
// on: time does it then; for the bell, until the link brings another one. So it is for good where
// interrupts do not arrive, as with some emulated NICs: where IDLE_SLEEP_MISSED sleeps in a row
// lasted until the backstop and frames were waiting at their end. One per worker, its lcore's
// alone.

#include "state/worker.h"

#include <rte_power_intrinsics.h>

#include <poll.h>

// Waiting in the CPU instead of the kernel: TPAUSE and UMWAIT, where the CPU has them (WAITPKG).
//
// idle_monitor_pause stands in for a PAUSE between two polls: up to a microsecond in a lighter
// sleep. With `poll: monitor` an idle worker waits for a write to one of the lines that it would
// poll: the next descriptor of each RX queue (as far as its driver tells where that is) and the
// tail of its answer ring. The core stays the worker's, so top shows 100 %, but it draws less, and
// it wakes within some hundred nanoseconds. Several lines need a CPU that monitors several (RTM as
// well); with one only a single RX queue is watched, for IDLE_MONITOR_BLIND_US at a time, because
// answers then wait as long. Where the CPU or a driver has none of it (AMD CPUs in DPDK 22.11, TAP,
// memif), it is a pause: `monitor` is then like `busy`, and the log says so.

enum {
	IDLE_MONITOR_PAUSE_NS = 1000,
	IDLE_MONITOR_WATCH_US = 100, // a write to any line ends it earlier
	IDLE_MONITOR_BLIND_US = 20,
	IDLE_MONITOR_LINES_MAX = SHM_RESOLVERS_MAX + 2 * WORKER_PORTS_MAX,
};

enum idle_monitor_way { IDLE_MONITOR_PAUSE, IDLE_MONITOR_ONE_LINE, IDLE_MONITOR_ALL_LINES };

struct idle_monitor { // one worker's
	enum idle_monitor_way way;
	unsigned queues; // that report a line
	// RX queues, whose lines move; then the answer rings.
	struct rte_power_monitor_cond line[IDLE_MONITOR_LINES_MAX];
	uint64_t watch_tsc, blind_tsc;
};

// What to do with a CPU that can monitor one or several lines, when `found` of `queues` RX queues
// have one.
enum idle_monitor_way idle_monitor_way_of(bool one, bool several, unsigned found, unsigned queues);

// Once, by the main lcore, before workers are launched: what idle_monitor_pause does.
void idle_monitor_detect(void);

// On the worker's lcore.
void idle_monitor_init(struct idle_monitor *p, const struct worker *w);
void idle_monitor_wait(struct idle_monitor *p, const struct worker *w);

enum {
	IDLE_SLEEP_BELL_MS = 50,
	IDLE_SLEEP_FIRST_US = 50,
	IDLE_SLEEP_STEP_US = 20,
	IDLE_SLEEP_MOST_US = 1000,
	IDLE_SLEEP_SPINS = 512, // turns without a frame before the first sleep by time
	IDLE_SLEEP_SPINS_BELL =
		256, // turns before a sleep that a port ends, which costs no latency
	IDLE_SLEEP_FRUITLESS = 64,
	IDLE_SLEEP_MISSED = 4,
	IDLE_SLEEP_FDS_MAX = 1 + 2 * WORKER_PORTS_MAX,
};

struct idle_sleep_queue {
	uint16_t port_id, queue;
	bool arm; // rte_eth_dev_rx_intr_enable before, disable after, its eventfd read
};

struct idle_sleep {
	struct pollfd fd[IDLE_SLEEP_FDS_MAX]; // [0]: the worker's bell, or -1; then queues
	struct idle_sleep_queue queue[IDLE_SLEEP_FDS_MAX];
	uint32_t bells_taken; // the worker's, when its bell could be rung no more
	unsigned fd_count;
	bool ports_ring; // every queue has a descriptor
	bool armed;
	bool port_woke;     // the last sleep was ended by a port
	unsigned fruitless; // sleeps in a row that a port ended, with no frame after them
	bool timed_out;     // the turn before was a sleep for a port that lasted to the backstop
	unsigned missed;    // sleeps in a row that lasted to the backstop, with frames at their end
	unsigned idle_turns; // idle turns in a row
};

// Before a port is configured: should it be asked for RX interrupts? Drivers cannot be asked what
// they have; those of TAP and of NICs have them.
bool idle_sleep_asks_port(const char *driver, const char *device);

// On the worker's lcore, ports started. Ports without descriptors are no error.
void idle_sleep_init(struct idle_sleep *d, const struct worker *w);
// A turn brought frames.
void idle_sleep_busy(struct idle_sleep *d);
// A turn brought nothing: pauses, or sleeps offline. True if it slept.
bool idle_sleep_turn(struct idle_sleep *d, struct worker *w);
