// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The regions that the data plane creates in shared memory: the statistics and one region of rings
// per worker.
//
// Made at each start (processes that map files of an earlier run keep those), before the link
// connects. The control plane's parts of a worker's rings (its page, the answer ring's data) are
// read-only in this mapping. The bell of a worker (bell.h) connects the worker, which rings for
// misses, and the control plane, which rings for answers. The main lcore rings there too, when it
// has something new for a sleeping worker, and passes the other end to each control plane. All of
// it is in the memory directory, never on huge pages. Start-up and stop only, main lcore.

#include "link.h"
#include "worker.h"

#include <weir/bell.h>
#include <weir/shm_region.h>

enum { RINGS_BELL_OURS, RINGS_BELL_THEIRS };

struct rings {
	struct region region;
	int bell[BELL_ENDS]; // -1: none
};

struct worker_rings {
	unsigned count;
	struct rings rings[SHM_WORKERS_MAX];
	struct region stats;
};

struct rings_spec_all {
	unsigned workers;
	const unsigned *lcores; // of the workers, on whose nodes their rings are; NULL: anywhere
	uint64_t incarnation;
	unsigned port_count;
	char port_name[STATS_PORTS_MAX][STATS_PORT_NAME];
	bool port_is_exception[STATS_PORTS_MAX];
	const char *group; // may read the statistics; "" = no group
};

ATTR_MUST_CHECK int worker_rings_create(struct worker_rings *out, const struct shm_paths *paths,
	const struct rings_spec_all *spec, char why[SHM_WHY_MAX]);
// Before worker_rings_close: the start comes to nothing, which is not the same as a stop.
void rings_fail(const struct worker_rings *l);
// Unmaps; the files stay for readers after this process ends.
void worker_rings_close(struct worker_rings *l);

// Hands worker rings number w->index to its worker: pages, rings, bell, statistics block.
void worker_rings_bind(const struct worker_rings *l, struct worker *w);
// Ends the process (shm_lost.h) when one of these files was cut off. Some system calls: once a
// second, by the main lcore.
void worker_rings_check(const struct worker_rings *l, const struct shm_paths *paths);
struct stats_region *worker_rings_stats(const struct worker_rings *l);
