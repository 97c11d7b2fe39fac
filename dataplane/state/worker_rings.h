// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The regions that the data plane creates in shared memory: the statistics, the word that says
// which run reads the cache (`reader`), and rings for each worker and resolver.
//
// Those of the first resolver are made at each start (processes that map files of an earlier run
// keep those), before the link connects; those of others before a cache that they share is handed
// to the workers. The control plane's half of a worker's rings (its page, the answer ring) is a
// file that it makes once it has found ours (`answers`). Until that is mapped here, read-only, the
// worker reads zeros in its place, as in new answers. Bells (bell.h): the control plane rings a
// worker's for answers, and the main lcore rings it too, when it has something new for a sleeping
// worker; all workers strike a resolver's gong for misses. Those made here are for the time until
// the first control plane's come, which take their numbers (link.h). All regions are in the memory
// directory, never on huge pages. Main lcore.

#include "link.h"
#include "worker.h"

#include <weir/bell.h>
#include <weir/gong.h>
#include <weir/shm_region.h>

struct rings { // one worker's
	struct region region[SHM_RESOLVERS_MAX];
	struct region answers[SHM_RESOLVERS_MAX];
	int bell[BELL_ENDS]; // -1 without a bell
};

struct worker_rings {
	unsigned count;     // workers
	unsigned resolvers; // for which there are rings
	uint64_t incarnation;
	struct rings rings[SHM_WORKERS_MAX];
	int gong[SHM_RESOLVERS_MAX]; // -1 without a gong
	struct region stats;
	struct region reader;
	bool missing;             // answers that the control plane has not made yet
	bool refused_told;        // that they cannot be used
	uint64_t next_answers_ms; // when to look for them again
};

struct rings_spec_all {
	unsigned workers;
	const unsigned
		*lcores; // the workers' lcores, on whose nodes their rings are; NULL: anywhere
	uint64_t incarnation;
	unsigned port_count;
	char port_name[STATS_PORTS_MAX][STATS_PORT_NAME];
	bool port_is_exception[STATS_PORTS_MAX];
	const char *group, *stats_group; // runtime.group, runtime.stats_group; "" = no group
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
// not use those of a resolver before they have tables that say so. -errno with `why`: no rings are
// used.
ATTR_MUST_CHECK int worker_rings_grow(struct worker_rings *l, const struct shm_paths *paths,
	struct worker *const *workers, unsigned resolvers, char why[SHM_WHY_MAX]);
// worker_rings_other.c. Maps the control plane's present half of all rings: when the link comes up,
// and in worker_rings_check, since a resolver may make its half again later (one that was late, or
// found no memory). worker_rings_look tries each 100 ms what is not there yet.
void worker_rings_link(struct worker_rings *l, const struct shm_paths *paths);
void worker_rings_look(struct worker_rings *l, const struct shm_paths *paths, uint64_t now_ms);
// The numbers of bells and gongs, in the order of link_welcome.
void worker_rings_bells(const struct worker_rings *l, int out[LINK_BELLS_MAX]);
// Ends the process (shm_lost.h) when one of these files was cut off. Maps answers that were made
// again. Some system calls a worker and resolver: once a second, by the main lcore.
void worker_rings_check(struct worker_rings *l, const struct shm_paths *paths);
struct stats_region *worker_rings_stats(const struct worker_rings *l);

// worker_rings_other.c. `reader` is the file of an earlier run if there is one.
ATTR_MUST_CHECK int worker_rings_reader_open(
	struct worker_rings *l, const struct shm_paths *paths, char why[SHM_WHY_MAX]);
// Says what it sees of hugetlbfs. Makes it again when it was deleted or cut off. A control plane
// maps the new one within 100 ms.
void worker_rings_reader_check(struct worker_rings *l, const struct shm_paths *paths);
// Says that this run reads; again when the word was damaged, or the control plane would wait for a
// run that never existed.
void worker_rings_announce(const struct worker_rings *l);
// Does the control plane of this directory see that word? If none runs, the next one will.
bool worker_rings_is_seen(const struct worker_rings *l, const struct shm_paths *paths,
	const struct directory *directory);
