// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Free and used units of a share of L0, numbered from its first on: the writer's private
// bookkeeping, four bits a unit (and a bit for each 64 of them, three times).
//
// A unit is free, live, or retired: no longer published but perhaps still read, until every worker
// has passed a quiescent state. `used` covers live and retired ones. Retired units collect in
// `open`; at most one batch at a time waits (`closed`), under one epoch, so the epoch moves once
// per batch. As both are bitmaps over all units they can never be full.
//
// Space for k units is a run of free ones found by next fit with a bounded scan, which passes 4,096
// units without a free one in a step: in a full table a search passes some 8,000 (measured). Where
// the table is so fragmented that there is none, the caller requests a hold: a window that the
// allocator gives to no other request while the caller evicts the records in it. Later requests
// that find no run take from its front; when the window is too small for a request, it grows at its
// end.
//
// Owner: struct l0_writer; one thread.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>
#include <weir/shm_epoch.h>

struct l0_limbo {
	uint64_t *bits;    // one per unit
	uint64_t *touched; // one per word of bits: not zero
	uint32_t units;
};

struct l0_hold {
	uint32_t start, units; // units is 0 without a hold
	uint64_t looked;       // no live record is before it: nothing is put into a hold
};

struct l0_alloc {
	uint32_t units; // units of the share; number 0 is never given out
	uint32_t words;
	uint32_t cursor; // where the next search begins
	uint32_t free_units;
	uint64_t *used;
	uint64_t *room;   // one per word of `used`: has a free unit
	uint64_t *starts; // first units of live records
	struct l0_limbo open, closed;
	uint64_t closed_epoch;
	bool draining; // the closed batch's epoch has passed
	uint32_t drain_at;
	struct l0_hold hold;
	size_t memory; // bytes allocated
};

// All units free. -ENOMEM.
ATTR_MUST_CHECK int l0_alloc_init(struct l0_alloc *a, uint32_t units);
void l0_alloc_destroy(struct l0_alloc *a); // safe on a zeroed one

// First unit of a run of k that is now live; 0 if none was found.
ATTR_MUST_CHECK uint32_t l0_alloc_take(struct l0_alloc *a, uint32_t k);
void l0_alloc_retire(struct l0_alloc *a, uint32_t start, uint32_t k);
// Takes exactly this run, for recovery. False: part of it is used.
ATTR_MUST_CHECK bool l0_alloc_claim(struct l0_alloc *a, uint32_t start, uint32_t k);
// Retires every unit that is not live, for recovery: workers may still read any of them.
void l0_alloc_retire_rest(struct l0_alloc *a);

// Frees the waiting batch once its epoch has passed, a bounded part per call, and lets the open one
// wait in its place.
void l0_alloc_reclaim(struct l0_alloc *a, struct epoch_writer *epoch);

static inline uint32_t l0_alloc_retired(const struct l0_alloc *a)
{
	return a->open.units + a->closed.units;
}

// Asks for a hold of at least k units.
void l0_alloc_want(struct l0_alloc *a, uint32_t k);
// A live record in the hold, which the caller has to retire; 0 without one.
uint32_t l0_alloc_in_hold(struct l0_alloc *a);

// For audits: bit `unit` of a bitmap.
static inline bool l0_bit(const uint64_t *bits, uint32_t unit)
{
	return bits[unit / 64] >> unit % 64 & 1;
}
