// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Shared by the files of the worker rings: worker_rings.c (attach, detach, beat), rings_turn.c
// (misses, answers and bells of a turn), rings_map.c (rings and log rings), rings_marks.c,
// rings_left.c (rings of resolvers that are gone).

#include "worker_rings.h"

#include <weir/shm_ring.h>

struct event;

enum {
	RINGS_ENDED_MARKS_MS = 2000,
	RINGS_MARKS_US = 500, // to map, and to unmap, marks in one beat
};

struct rings { // of one worker, for one resolver
	struct worker_rings *owner;
	unsigned index;
	struct region first;   // the first resolver's, for its seen-epoch; in that one not used
	struct region region;  // this resolver's; not mapped before the data plane has made it
	struct region answers; // our half of these
	struct region marks;
	struct ring_consumer misses;
	struct ring_producer answer_ring;
	int bell_fd;     // the worker's; the link closes it
	bool asleep;     // its worker rings for the next miss
	bool apart;      // its worker may not have found the answer ring yet
	bool dirty;      // answers reserved, not published
	unsigned unrung; // publications for which its worker was not rung yet
};

struct worker_rings {
	struct loop *loop;
	struct publisher *publisher;
	struct l0_writer *l0;
	unsigned resolver;
	worker_rings_miss_fn miss;
	void *arg;
	worker_rings_heard_fn heard; // NULL: that is foreign
	void *heard_arg;
	worker_rings_marks_fn marked; // NULL: nobody
	void *marked_arg;
	uint64_t incarnation; // of the data plane, 0: none
	unsigned count;
	bool missing;              // rings or marks that the data plane has not made yet
	unsigned missing_beats;    // that its own rings were, although the cache is activated
	bool left;                 // rings of resolvers that are gone may hold misses
	bool resting;              // in a turn of a loop that rests
	bool awake;                // some worker would not ring for us
	struct event *gong, *more; // `more`: goes on in the next turn
	struct querylog *log;      // NULL: none
	uint64_t anomalies_before; // of worker rings that are gone
	struct worker_rings_stats stats;
	struct rings rings[SHM_WORKERS_MAX];
	struct region ended_marks[SHM_WORKERS_MAX]; // of workers that ended
	uint64_t marks_ended_ms;                    // 0: none
};

static inline struct rings_cp_page *rings_cp(const struct region *answers)
{
	return (struct rings_cp_page *)(void *)(answers->base + ANSWERS_CP_PAGE);
}

static inline const struct rings_dp_page *rings_dp(const struct region *r)
{
	return (const struct rings_dp_page *)(const void *)(r->base + RINGS_DP_PAGE);
}

// rings_turn.c
void rings_drain_all(struct worker_rings *l);
bool rings_take(struct rings *rings); // a burst of its misses; false: it is empty
// The events and the loop's watch; -ENOMEM.
ATTR_MUST_CHECK int rings_listen(struct worker_rings *l, int gong);
void rings_deafen(struct worker_rings *l); // safe without rings_listen
void rings_watch_loop(struct worker_rings *l);

// rings_map.c: -errno with `why`. Of another resolver than the first the own rings may be missing
// (region.base NULL) and are tried again by rings_map_own.
ATTR_MUST_CHECK int rings_map(struct rings *rings, uint64_t incarnation, char why[SHM_WHY_MAX]);
ATTR_MUST_CHECK int rings_map_own(struct rings *rings, uint64_t incarnation, char why[SHM_WHY_MAX]);
// Those of `resolver`, which may be another one.
ATTR_MUST_CHECK int rings_map_of(
	struct rings *rings, unsigned resolver, uint64_t incarnation, char why[SHM_WHY_MAX]);
void rings_unmap(struct rings *rings);
// Deletes our halves that no data plane will use any more: of workers from `workers` on, and of
// resolvers from `resolvers` on.
void rings_sweep(const struct worker_rings *l, unsigned workers, unsigned resolvers);
// Hands the log ring to the log thread, if there is one.
ATTR_MUST_CHECK int rings_map_log(const struct rings *rings, char why[SHM_WHY_MAX]);

// rings_left.c: false: come again. Have all workers activated the current cache?
bool rings_left_take(struct worker_rings *l);
bool rings_activated(const struct worker_rings *l);

// rings_marks.c: false: not made yet.
bool rings_map_marks(struct rings *rings);
// Their worker ends. They stay mapped for their visits until the successor's are mapped, and
// RINGS_ENDED_MARKS_MS at most: where there is no room for two, the data plane then finds some.
// `now`: at once, all of them.
void rings_end_marks(struct rings *rings);
void rings_release_marks(struct worker_rings *l, bool now);
