// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Waiting in the CPU instead of the kernel: TPAUSE and UMWAIT, where the CPU has them (WAITPKG).
//
// power_pause stands in for a PAUSE between two polls: up to a microsecond in a lighter sleep. With
// `poll: monitor` an idle worker waits for a write to one of the lines that it would poll: the next
// descriptor of each RX queue (as far as its driver tells where that is) and the tail of its answer
// ring. The core stays the worker's, so top shows 100 %, but it draws less, and it wakes within
// some hundred nanoseconds. Several lines need a CPU that monitors several (RTM as well); with one
// only a single RX queue is watched, for POWER_BLIND_US at a time, because answers then wait as
// long. Where the CPU or a driver has none of it (AMD CPUs in DPDK 22.11, TAP, memif),
// it is a pause: `monitor` is then like `busy`, and the log says so.

#include "state/worker.h"

#include <rte_power_intrinsics.h>

enum {
	POWER_PAUSE_NS = 1000,
	POWER_WATCH_US = 100, // a write to any line ends it earlier
	POWER_BLIND_US = 20,
	POWER_LINES_MAX = 1 + 2 * WORKER_PORTS_MAX,
};

enum power_way { POWER_PAUSE, POWER_ONE_LINE, POWER_ALL_LINES };

struct power { // of one worker
	enum power_way way;
	unsigned count;
	// [0]: the answer ring; then RX queues, whose lines move.
	struct rte_power_monitor_cond line[POWER_LINES_MAX];
	uint64_t watch_tsc, blind_tsc;
};

// What to do with a CPU that can monitor one or several lines, when `found` of `queues` RX queues
// have one.
enum power_way power_way_of(bool one, bool several, unsigned found, unsigned queues);

// Once, by the main lcore, before workers are launched: what power_pause does.
void power_detect(void);
void power_pause(void);

// On the worker's lcore.
void power_init(struct power *p, const struct worker *w);
void power_wait(struct power *p, const struct worker *w);
