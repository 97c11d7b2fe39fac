// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The log rings that the log thread empties: one for each worker, resolver and frontend. A
// worker's is mapped here once more, so that the thread can read the rest after the worker rings
// are detached.
//
// Other threads add and end sources through a short lock; after that the log thread owns a source.
// It reads an ended one to its end; then it knows the writer's debt and unmaps the ring. Bounds:
// QUERYLOG_SOURCES_MAX; one more is not logged, with a warning.

#include <pthread.h>
#include <weir/shm_abi.h>
#include <weir/shm_epoch.h>
#include <weir/shm_region.h>
#include <weir/shm_ring.h>

enum { QUERYLOG_SOURCES_MAX = 2 * SHM_WORKERS_MAX + SHM_RESOLVERS_MAX + EPOCH_OWN_MAX };

struct querylog_source {
	struct ring_consumer ring;
	const _Atomic uint64_t *owed;
	struct region region; // with our index; unmapped: in this process' own memory
	struct region rings;  // with the rest
	bool has_ended;
};

struct querylog_sources {
	pthread_mutex_t lock; // of `added` and `ended`
	unsigned count, added;
	uint64_t refused; // under the lock
	bool ended;       // all worker rings that were there have
	struct querylog_source source[QUERYLOG_SOURCES_MAX];
	struct querylog_source next[QUERYLOG_SOURCES_MAX]; // new sources for the log thread
	uint64_t anomalies;                                // of rings that are gone
};

void querylog_sources_init(struct querylog_sources *s);
// Log thread: takes what was added and ended meanwhile.
void querylog_sources_look(struct querylog_sources *s);
void querylog_sources_drop(struct querylog_sources *s, unsigned i); // i < count
void querylog_sources_close(struct querylog_sources *s);            // no thread left
uint64_t querylog_sources_anomalies(const struct querylog_sources *s);

// Any thread. -ENOSPC; on success `region` belongs to the log.
ATTR_MUST_CHECK int querylog_sources_add(
	struct querylog_sources *s, const struct querylog_source *source);
uint64_t querylog_sources_refused(struct querylog_sources *s); // any thread
void querylog_sources_end_rings(struct querylog_sources *s);
