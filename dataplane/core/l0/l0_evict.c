// SPDX-License-Identifier: BSD-3-Clause

#include "l0_state.h"

#include <weir/fault.h>

void l0_drop(struct l0_writer *w, uint32_t slot)
{
	uint64_t bucket = slot / L0_BUCKET_SLOTS;
	uint32_t number = l0_record_in(w, slot);
	const struct l0_record *p = l0_record_at(w, number);
	// The record number stays: a reader that has seen the tag may still follow it, until it
	// passes a quiescent state.
	atomic_store_explicit(
		&w->buckets[bucket].tag[slot % L0_BUCKET_SLOTS], 0, memory_order_release);
	FAULT_POINT(l0_tag_cleared);
	uint64_t first = l0_first_bucket(w, p);
	if (first != bucket) {
		l0_overflow_add(w, first, -1);
		FAULT_POINT(l0_overflow_lowered);
	}
	l0_sieve_remove(&w->sieve, slot);
	l0_heat_clear(&w->heat, slot);
	l0_alloc_retire(&w->alloc, l0_unit_of(w, number), l0_record_units(p));
	w->stats.entries--;
}

static bool visited(const struct l0_writer *w, uint32_t slot, uint32_t number)
{
	return l0_sieve_carried(&w->sieve, slot) || l0_marked(w, number, MARK_VISITED);
}

// Moves the hand to the first unvisited record and evicts it. False: no such record within the
// steps, or no record at all.
static bool sieve_evict(struct l0_writer *w, unsigned *steps)
{
	for (; *steps; --*steps) {
		uint32_t slot = l0_sieve_hand(&w->sieve);
		if (slot == L0_SLOT_NONE)
			return false;
		uint32_t number = l0_record_in(w, slot);
		if (!visited(w, slot, number)) {
			l0_drop(w, slot);
			return true;
		}
		(void)l0_sieve_uncarry(&w->sieve, slot);
		l0_unmark(w, number, MARK_VISITED);
		l0_sieve_spare(&w->sieve);
	}
	return false;
}

// A live record's slot, found again through its key.
static uint32_t slot_of_record(const struct l0_writer *w, uint32_t number)
{
	struct l0_key key;
	l0_key_of_record(w, l0_record_at(w, number), &key);
	uint32_t slot = l0_slot_of_key(w, &key);
	assert(slot != L0_SLOT_NONE);
	return slot;
}

// Retired units count as room: they come back by themselves, and evicting more while a worker is
// stuck would only empty the cache.
static bool short_of_room(const struct l0_writer *w, uint32_t k)
{
	uint64_t room = (uint64_t)w->alloc.free_units + l0_alloc_retired(&w->alloc);
	return room < (uint64_t)w->reserve_units + k;
}

unsigned l0_clear_hold(struct l0_writer *w, unsigned evictions)
{
	uint32_t unit;
	while (evictions && (unit = l0_alloc_in_hold(&w->alloc)) != 0) {
		l0_drop(w, slot_of_record(w, w->share.unit_first + unit));
		w->stats.evicted_space++;
		evictions--;
	}
	return evictions;
}

void l0_slots_prefetch(const struct l0_writer *w, uint64_t bucket)
{
	const uint64_t slot = bucket * L0_BUCKET_SLOTS;

	__builtin_prefetch(&w->buckets[bucket]);
	__builtin_prefetch(&w->sieve.link[slot]);
	__builtin_prefetch(&w->sieve.link[slot + L0_BUCKET_SLOTS - 1]);
	__builtin_prefetch(&w->heat.slot[slot]);
}

void l0_victim_prefetch(const struct l0_writer *w)
{
	const uint32_t slot = l0_sieve_hand(&w->sieve);
	const uint32_t number = slot != L0_SLOT_NONE ? l0_record_in(w, slot) : L0_NONE;

	if (number == L0_NONE)
		return;
	__builtin_prefetch(l0_record_at(w, number));
	l0_marks_prefetch(w, number);
}

void l0_make_room(struct l0_writer *w, uint32_t k)
{
	unsigned steps = L0_HAND_STEPS_MAX;
	unsigned evictions = l0_clear_hold(w, L0_EVICTIONS_MAX);
	while (evictions && short_of_room(w, k) && sieve_evict(w, &steps)) {
		w->stats.evicted_space++;
		evictions--;
	}
	const uint32_t next = l0_sieve_hand(&w->sieve);
	if (next != L0_SLOT_NONE)
		l0_slots_prefetch(w, next / L0_BUCKET_SLOTS);
}

// Is slot a a better victim than slot b? Expired before unvisited before oldest.
static bool rather(const struct l0_writer *w, uint32_t a, uint32_t b, uint64_t now_ms)
{
	uint32_t ra = l0_record_in(w, a), rb = l0_record_in(w, b);
	const struct l0_record *pa = l0_record_at(w, ra), *pb = l0_record_at(w, rb);
	bool ea = l0_past_hard(pa, now_ms), eb = l0_past_hard(pb, now_ms);
	if (ea != eb)
		return ea;
	bool va = visited(w, a, ra), vb = visited(w, b, rb);
	if (va != vb)
		return vb;
	return pa->created_ms < pb->created_ms;
}

static uint32_t free_slot(const struct l0_writer *w, uint64_t bucket)
{
	unsigned bits = l0_match(&w->buckets[bucket], 0);
	return bits ? (uint32_t)(bucket * L0_BUCKET_SLOTS) + (uint32_t)__builtin_ctz(bits)
		    : L0_SLOT_NONE;
}

// Makes a slot in a full bucket.
static void records_prefetch(const struct l0_writer *w, uint64_t bucket)
{
	for (unsigned i = 0; i < L0_BUCKET_SLOTS; i++)
		__builtin_prefetch(l0_record_at(w,
			atomic_load_explicit(&w->buckets[bucket].record[i], memory_order_relaxed)));
}

uint32_t l0_make_slot(struct l0_writer *w, const struct l0_key *key, uint64_t now_ms)
{
	uint64_t first = l0_bucket_of_hash(w, key->hash);
	uint64_t second = l0_other_bucket(first, l0_tag(key->hash), w->reader.bucket_mask);
	uint32_t slot = free_slot(w, first);
	if (slot == L0_SLOT_NONE)
		slot = free_slot(w, second);
	if (slot != L0_SLOT_NONE)
		return slot;
	// Lines that are in no cache are waited for together, not one after the other.
	records_prefetch(w, first);
	records_prefetch(w, second);
	uint32_t victim = (uint32_t)(first * L0_BUCKET_SLOTS);
	for (unsigned i = 1; i < 2 * L0_BUCKET_SLOTS; i++) {
		uint64_t bucket = i < L0_BUCKET_SLOTS ? first : second;
		uint32_t other = (uint32_t)(bucket * L0_BUCKET_SLOTS) + i % L0_BUCKET_SLOTS;
		if (rather(w, other, victim, now_ms))
			victim = other;
	}
	l0_drop(w, victim);
	w->stats.evicted_bucket++;
	return victim;
}
