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
// on: time does it then. So it is for good where interrupts do not arrive, as with some emulated
// NICs: where IDLE_SLEEP_MISSED sleeps in a row lasted until the backstop and frames were waiting
// at their end. One per worker, its lcore's alone.

#include "state/worker.h"

#include <poll.h>

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
