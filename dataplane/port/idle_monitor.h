// SPDX-License-Identifier: BSD-3-Clause
#pragma once

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

#include "state/worker.h"

#include <rte_power_intrinsics.h>

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
void idle_monitor_pause(void);

// On the worker's lcore.
void idle_monitor_init(struct idle_monitor *p, const struct worker *w);
void idle_monitor_wait(struct idle_monitor *p, const struct worker *w);
