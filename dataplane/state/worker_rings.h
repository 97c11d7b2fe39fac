// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The regions that the data plane creates in shared memory: the statistics, and rings for each
// worker and resolver.
//
// Those of the first resolver are made at each start (processes that map files of an earlier run
// keep those), before the link connects; those of others before a cache that they share is handed
// to the workers. The control plane's parts of a worker's rings (its page, the answer ring's data)
// are read-only in this mapping. Bells (bell.h): the control plane rings a worker's for answers,
// and the main lcore rings it too, when it has something new for a sleeping worker; all workers
// ring a resolver's for misses. The far ends are passed to each control plane. All regions are in
// the memory directory, never on huge pages. Main lcore.

#include "link.h"
#include "worker.h"

#include <weir/bell.h>
#include <weir/shm_region.h>

enum { RINGS_BELL_OURS, RINGS_BELL_THEIRS };

struct rings { // of a worker
	struct region region[SHM_RESOLVERS_MAX];
	int bell[BELL_ENDS]; // -1: none
};

struct worker_rings {
	unsigned count;     // workers
	unsigned resolvers; // for which there are rings
	uint64_t incarnation;
	struct rings rings[SHM_WORKERS_MAX];
	int resolver_bell[SHM_RESOLVERS_MAX][BELL_ENDS]; // -1: none
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

// Hands worker rings number w->index to its worker: pages, rings, bells, statistics block.
void worker_rings_bind(const struct worker_rings *l, struct worker *w);
// Makes rings for so many resolvers, if there are fewer, and hands them to the workers, which must
// not use those of a resolver before they have tables that say so. -errno with `why`: none are
// used.
ATTR_MUST_CHECK int worker_rings_grow(struct worker_rings *l, const struct shm_paths *paths,
	struct worker *const *workers, unsigned resolvers, char why[SHM_WHY_MAX]);
// The ends for the control plane, in the order of link_hello.
void worker_rings_bells(const struct worker_rings *l, int out[LINK_BELLS_MAX]);
// Ends the process (shm_lost.h) when one of these files was cut off. Some system calls: once a
// second, by the main lcore.
void worker_rings_check(const struct worker_rings *l, const struct shm_paths *paths);
struct stats_region *worker_rings_stats(const struct worker_rings *l);
