// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Quiescence between the writers (the control plane's resolvers) and up to 64 workers.
//
// A writer unpublishes something, advances the epoch, and may reuse the memory once every online
// worker has stored a seen-epoch at least that new; a worker does that at the top of its loop,
// where it holds no reference. One word in the directory, one per worker rings: a reader that
// writes an impossible epoch into its word can only delay the writers, whose callers bound the
// wait. A worker goes offline before it sleeps. A writer puts a worker offline when its process has
// died ("not attached"). All writers advance the one epoch; each has its own book of who is
// attached, and the argument above holds for each by itself.
//
// A worker that is stuck while others run is evicted: no writer waits for it, although it may still
// be in the middle of a batch and read on, when it returns, what was reused meanwhile. Two things
// make this safe. The reader of L0 takes whatever it reads for hostile (l0_table.h), so reused
// bytes make a wrong reply at worst. And the worker sends no reply of such a batch:
//
//   evict    `evicted` (shared) gets its next number; then `out` of the writers' process (release)
//   reuse    the writer loads `out` (acquire); release fence; then it writes into the memory
//   batch    at its end, before it sends: acquire fence, then the worker loads `evicted`. If it
//            read one byte that was written after the reuse, it finds the new number there, and
//            drops the replies
//   return   at the top of its loop, where it holds no reference, a worker that finds a new number
//            stores the number as `returned`; full fence; then it goes on. A writer that loads
//            `returned` behind its own fence either finds the number, and waits for this worker's
//            seen-epoch as before, or its fence came first, and the worker finds nothing of what
//            the writer took out of sight. It is the argument of epoch_online
//
// `out` is back at 0 when the publisher has seen the worker return: from then on only the
// seen-epoch counts, so a word `returned` that is damaged later does no harm.
// tests/model/model_evict.c searches all interleavings.
//
// Threads of the writers' own process that read L0 have a place each, in memory of the process and
// for its life: online for one look-up, offline else, so that an idle one delays nobody.
//
// The writer may not know all readers: a data plane may start and use the published state while the
// writer is stopped or restarts. So the data plane writes the number of its run into the
// file `reader` before it reads. For a writer that knows neither the workers of that run nor that
// it ended, no epoch has passed.
//
// Cost per worker loop: one load of a shared line that is written only on retirements, and one
// store to its own line when the epoch moved. Tested against rte_rcu_qsbr as a model.

#include "attr.h"
#include "fault.h"
#include "shm_abi.h"

#include <stdbool.h>

#define EPOCH_OFFLINE UINT64_MAX

// Reader side (worker thread).
struct epoch_reader {
	const _Atomic uint64_t *epoch; // directory.epoch
	_Atomic uint64_t *seen;        // rings_dp_page.seen_epoch
	uint64_t last;
	const _Atomic uint64_t *evicted; // rings_cp_page.evicted; NULL: nobody evicts it
	_Atomic uint64_t *returned;      // rings_dp_page.returned
	uint64_t evictions;              // the value of `evicted` that it has taken up
};

void epoch_online(struct epoch_reader *r);  // full fence: nothing is read before others can see us
void epoch_offline(struct epoch_reader *r); // release: all reads are done
ATTR_INLINE void epoch_quiescent(struct epoch_reader *r)
{
	uint64_t e = atomic_load_explicit(r->epoch, memory_order_acquire);
	if (e != r->last) {
		r->last = e;
		atomic_store_explicit(r->seen, e, memory_order_release);
		FAULT_POINT(epoch_seen_stored);
	}
}

// Was it evicted since epoch_return? Then nothing that it has read since may leave it.
ATTR_INLINE bool epoch_is_evicted(const struct epoch_reader *r)
{
	atomic_thread_fence(memory_order_acquire);
	return r->evicted && atomic_load_explicit(r->evicted, memory_order_relaxed) != r->evictions;
}

// Back after an eviction, where it holds no reference; epoch_quiescent comes next.
void epoch_return(struct epoch_reader *r);

enum { EPOCH_OWN_MAX = 8 }; // readers in the writers' own process

// Writer side: one for each resolver, on its loop's thread.
struct epoch_writer {
	_Atomic uint64_t *epoch;
	const _Atomic uint64_t
		*seen[SHM_WORKERS_MAX]; // NULL: no such worker, or its process is dead
	const _Atomic uint64_t *returned[SHM_WORKERS_MAX]; // used with `out` only
	const _Atomic uint64_t *out;
	const _Atomic uint64_t *own[EPOCH_OWN_MAX]; // NULL: no such reader; set before it reads
	const _Atomic uint64_t *reader; // reader_page.life; NULL: the readers are all known
	const _Atomic uint64_t *dead;   // the life that is known to be dead; may be NULL
	uint64_t attached;              // the life whose worker rings `seen` is of
};

// Call after taking something out of sight; the value to wait for.
uint64_t epoch_advance(struct epoch_writer *w);
// Has every worker been quiescent since epoch_advance returned `epoch`?
bool epoch_passed(const struct epoch_writer *w, uint64_t epoch);
