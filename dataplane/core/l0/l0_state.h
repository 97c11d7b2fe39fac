// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The writer's state and what its files share: l0_writer.c (put, delete, restamp, judge, flush,
// sweep), l0_evict.c (eviction), l0_marks.c (marks of workers), l0_heat.c (hit counts),
// l0_recover.c (open, copy).
//
// Buckets are numbered from the first of the writer's share on, a slot number is bucket *
// L0_BUCKET_SLOTS + slot; record numbers are the table's, and the allocator numbers units from the
// first of the share on. This process wrote the share's contents, or recovery checked them: the
// code here reads them without bounds checks.

#include "l0_alloc.h"
#include "l0_heat.h"
#include "l0_record.h"
#include "l0_sieve.h"

#include <weir/l0_writer.h>

enum {
	L0_EVICTIONS_MAX = 64,   // evictions of one put
	L0_HAND_STEPS_MAX = 128, // steps of the SIEVE hand in one put
	L0_GATHER_UNITS = 2048,  // units that one step of a sweep looks at
	L0_RESERVE_SHARE = 32,   // one unit in this many is kept free or retired
	// Where marks come from: this process' readers, the workers, the workers that ended.
	L0_PLACE_WORKERS = 1,
	L0_PLACE_ENDED = L0_PLACE_WORKERS + SHM_WORKERS_MAX,
	L0_PLACES_MAX = L0_PLACE_ENDED + SHM_WORKERS_MAX,
	// The least that a share has: its reserve, a hold for the longest answer, and that answer.
	// An eighth of 1 MiB holds more.
	L0_UNITS_MIN = 5 * L0_RECORD_UNITS_MAX,
};

// What workers' marks said, in one byte for each two units of the share, laid out as a mark: one
// more set of marks, private to the writer. A round of the sweep begins by gathering: it reads all
// marks in the order of units and moves the hits here. The walk in the order of the index, where
// each byte is a cache line of its own, then looks at one byte a record instead of one for each
// worker.
//
// Hits: those that fit, up to MARK_HITS_MAX; the others stay in the workers' marks. Refresh: some
// worker's mark has it, and keeps it.
//
// A byte is its record's: a put clears it with the marks, a replacement takes its hits over.
struct l0_gathered {
	uint8_t *byte;
	uint32_t at;   // next unit of this round
	size_t memory; // bytes allocated
};

struct l0_writer {
	struct l0_reader reader;
	struct l0_share share;
	struct l0_bucket *buckets; // the share's first
	uint8_t *units;            // the table's
	struct epoch_writer *epoch;
	struct l0_alloc alloc;
	struct l0_sieve sieve;
	struct l0_heat heat;
	struct l0_gathered gathered;
	uint32_t reserve_units;
	uint64_t sweep_oldest_ms;              // the oldest record of the round under way
	uint64_t sweep_at;                     // next bucket
	unsigned places;                       // up to the last of use
	_Atomic uint8_t *marks[L0_PLACES_MAX]; // NULL without a worker
	uint8_t rounds[L0_PLACE_ENDED]; // rounds of the sweep that still forget refresh marks
	struct l0_writer_stats stats;   // the counters; sizes are filled in on request
};

static inline struct l0_bucket *l0_bucket_of(const struct l0_writer *w, uint32_t slot)
{
	return &w->buckets[slot / L0_BUCKET_SLOTS];
}
// L0_NONE: the slot is free.
static inline uint32_t l0_slot_record_of(const struct l0_bucket *buckets, uint32_t slot)
{
	const struct l0_bucket *b = &buckets[slot / L0_BUCKET_SLOTS];
	unsigned i = slot % L0_BUCKET_SLOTS;
	if (atomic_load_explicit(&b->tag[i], memory_order_relaxed) == 0)
		return L0_NONE;
	return atomic_load_explicit(&b->record[i], memory_order_relaxed);
}
static inline uint32_t l0_record_in(const struct l0_writer *w, uint32_t slot)
{
	return l0_slot_record_of(w->buckets, slot);
}
// A record number as the allocator's; out of its range for one of another share.
static inline uint32_t l0_unit_of(const struct l0_writer *w, uint32_t number)
{
	return number - w->share.unit_first;
}
// The number of the key's first bucket, or one behind the share's last.
static inline uint64_t l0_bucket_of_hash(const struct l0_writer *w, uint64_t hash)
{
	return (hash & w->reader.bucket_mask) - w->share.bucket_first;
}
static inline struct l0_record *l0_record_at(const struct l0_writer *w, uint32_t number)
{
	return (struct l0_record *)(void *)(w->units + (size_t)number * L0_UNIT);
}
static inline const uint8_t *l0_name_of(const struct l0_record *p)
{
	return (const uint8_t *)p + sizeof(*p);
}
static inline uint32_t l0_record_bytes(const struct l0_record *p)
{
	unsigned table = p->flags & L0_RECORD_EVEN ? 0 : p->ttls;
	return l0_layout_of(p->name_len, table, p->answer_len, p->flags).end;
}
static inline uint32_t l0_record_units(const struct l0_record *p)
{
	return l0_units_of(l0_record_bytes(p));
}
static inline bool l0_past_hard(const struct l0_record *p, uint64_t now_ms)
{
	return now_ms > p->created_ms && now_ms - p->created_ms >= p->hard_ms;
}
static inline void l0_overflow_add(struct l0_writer *w, uint64_t bucket, int n)
{
	_Atomic uint32_t *count = &w->buckets[bucket].overflow;
	uint32_t now = atomic_load_explicit(count, memory_order_relaxed) + (uint32_t)n;
	atomic_store_explicit(count, now, memory_order_relaxed);
}

// Where the record would live if its bucket never were full: its key is hashed again.
uint64_t l0_first_bucket(const struct l0_writer *w, const struct l0_record *p);
void l0_key_of_record(const struct l0_writer *w, const struct l0_record *p, struct l0_key *key);
uint32_t l0_slot_of_key(const struct l0_writer *w, const struct l0_key *key); // L0_SLOT_NONE

// Takes the record out of sight and retires its units.
void l0_drop(struct l0_writer *w, uint32_t slot);

// Evicts at most `evictions` of the records in the allocator's hold; returns how many more it may
// evict.
unsigned l0_clear_hold(struct l0_writer *w, unsigned evictions);
// That, and evicts by SIEVE until the reserve and k units are free or on their way to it; bounded.
void l0_make_room(struct l0_writer *w, uint32_t k);
// Fetches what the writer has of a bucket's slots.
void l0_slots_prefetch(const struct l0_writer *w, uint64_t bucket);
// Fetches the record that the hand is at, of which the slot was fetched by the put before.
void l0_victim_prefetch(const struct l0_writer *w);
// A free slot for the key, emptied if it must be.
uint32_t l0_make_slot(struct l0_writer *w, const struct l0_key *key, uint64_t now_ms);

// The sum that recovery trusts a record by. Workers do not look at it.
uint32_t l0_check_of(const struct l0_record *p);

ATTR_MUST_CHECK int l0_gathered_init(struct l0_gathered *g, uint32_t units); // -ENOMEM
void l0_gathered_destroy(struct l0_gathered *g);                             // safe on a zeroed one
// Gathers the next L0_GATHER_UNITS units of this round.
void l0_gather(struct l0_writer *w);
// The round is over: the next one starts at the first unit.
void l0_gather_again(struct l0_writer *w);
// The record's hits, which are cleared, and whether a worker requested a refresh.
uint32_t l0_gathered_take(struct l0_writer *w, uint32_t number, bool *requested);
void l0_gathered_prefetch(const struct l0_writer *w, uint32_t number);

// Any mark on the record, of a worker or gathered.
bool l0_marked(const struct l0_writer *w, uint32_t number, uint8_t mark);
void l0_unmark(struct l0_writer *w, uint32_t number, uint8_t mark);
void l0_marks_prefetch(const struct l0_writer *w, uint32_t number);
// Hits in all marks of the record, also gathered ones. The first clears them.
uint32_t l0_hits_take(const struct l0_writer *w, uint32_t number);
uint32_t l0_hits_peek(const struct l0_writer *w, uint32_t number);

// Counts a question for the slot's record.
void l0_heat_used(struct l0_writer *w, uint32_t slot, uint32_t hits);
// Hits of the slot's record go over to the one that took its place.
void l0_heat_carry(struct l0_writer *w, uint32_t slot, uint32_t old);

// Walks an index of unknown content and takes what is sound (l0_recover.c). -ENOMEM.
ATTR_MUST_CHECK int l0_recover(struct l0_writer *w, uint64_t now_ms);
