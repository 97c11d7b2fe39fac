// SPDX-License-Identifier: BSD-3-Clause

#include "l0_state.h"

#include <errno.h>
#include <weir/fault.h>
#include <weir/heap_site.h>

// Recovers a share that a dead control plane left, or that was overwritten. A slot is kept when its
// record lies in the share, fits its check sum, sits where its key's hash may sit, has TTL offsets
// that fit the answer, is not past hard expiry, and shares no unit with one kept before. All other
// slots are cleared. Workers go on reading meanwhile.

// How far ahead of the clock a creation time may be: both processes read the clock at different
// times, but a record from the future would never expire.
enum { FUTURE_MAX_MS = 1000 };

static bool ttls_sound(const struct l0_bounds *b)
{
	const uint16_t *off =
		(const uint16_t *)(const void *)((const uint8_t *)b->record + b->at.ttl_off);
	uint32_t end = 0; // where the TTL before ends
	if (b->ttl_step)
		return b->ttl_step >= sizeof(uint32_t);
	for (unsigned i = 0; i < b->ttl_count; i++) {
		if (off[i] < end || (uint32_t)off[i] + 4 > l0_answer_len_of(b->head))
			return false;
		end = (uint32_t)off[i] + 4;
	}
	return true;
}

static bool place_sound(const struct l0_reader *r, uint32_t slot, const struct l0_bounds *b)
{
	const struct l0_record *p = b->record;
	struct l0_key key = {
		.name = (const uint8_t *)(p + 1),
		.word = l0_key_word(b->key),
	};
	l0_key_hash(r, &key);
	uint64_t bucket = slot / L0_BUCKET_SLOTS;
	uint64_t first = key.hash & r->bucket_mask;
	uint16_t tag = atomic_load_explicit(
		&r->buckets[bucket].tag[slot % L0_BUCKET_SLOTS], memory_order_relaxed);
	return tag == l0_tag(key.hash)
	       && (bucket == first || bucket == l0_other_bucket(first, tag, r->bucket_mask));
}

bool l0_slot_sound(const struct l0_reader *r, uint32_t slot, uint64_t now_ms)
{
	struct l0_bounds b;
	if (!l0_bounds_read(r, l0_slot_record_of(r->buckets, slot), &b))
		return false;
	const struct l0_record *p = b.record;
	return p->created_ms <= now_ms + FUTURE_MAX_MS && !l0_past_hard(p, now_ms)
	       && place_sound(r, slot, &b) && ttls_sound(&b) && p->check == l0_check_of(p);
}

static void keep_or_clear(struct l0_writer *w, uint32_t slot, uint32_t *overflow, uint64_t now_ms)
{
	uint32_t number = l0_record_in(w, slot);
	struct l0_bucket *b = l0_bucket_of(w, slot);
	_Atomic uint16_t *tag = &b->tag[slot % L0_BUCKET_SLOTS];
	if (atomic_load_explicit(tag, memory_order_relaxed) == 0)
		return;
	uint32_t in_table = slot + (uint32_t)w->share.bucket_first * L0_BUCKET_SLOTS;
	if (!l0_slot_sound(&w->reader, in_table, now_ms)
		|| !l0_alloc_claim(&w->alloc, l0_unit_of(w, number),
			l0_record_units(l0_record_at(w, number)))) {
		atomic_store_explicit(tag, 0, memory_order_release);
		FAULT_POINT(l0_recover_cleared);
		w->stats.discarded++;
		return;
	}
	uint64_t first = l0_first_bucket(w, l0_record_at(w, number));
	overflow[first] += first != slot / L0_BUCKET_SLOTS;
	l0_sieve_insert(&w->sieve, slot);
	w->stats.entries++;
	w->stats.recovered++;
}

int l0_recover(struct l0_writer *w, uint64_t now_ms)
{
	// Counted aside and stored once, so that no worker meets a count that is too low.
	uint64_t buckets = w->share.buckets;
	uint32_t *overflow = heap_calloc(buckets, sizeof(*overflow));
	if (!overflow)
		return -ENOMEM;
	// Queues records in the order of the index, which is as good as none: ages are not known to
	// the queue.
	for (uint32_t slot = 0; slot < w->sieve.slots; slot++)
		keep_or_clear(w, slot, overflow, now_ms);
	for (uint64_t i = 0; i < buckets; i++)
		atomic_store_explicit(&w->buckets[i].overflow, overflow[i], memory_order_relaxed);
	FAULT_POINT(l0_recover_counted);
	heap_free(overflow);
	l0_alloc_retire_rest(&w->alloc);
	FAULT_POINT(l0_recover_retired);
	l0_alloc_reclaim(&w->alloc, w->epoch); // opens the grace period
	return 0;
}
