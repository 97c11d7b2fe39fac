// SPDX-License-Identifier: BSD-3-Clause
#include "l0_state.h"

#include <errno.h>
#include <weir/fault.h>
#include <weir/heap_site.h>

static bool l0_slot_sound(const struct l0_reader *r, uint32_t slot, uint64_t now_ms);

// Puts the live records of a table of another size, or for another number of resolvers, into a new
// one that no worker reads yet. Checks the records of an earlier run as recovery does, one by one.

// Evicting for a copy would throw out copies. Twice the record: a run must be found for it.
static bool has_room(const struct l0_writer *w, uint32_t units)
{
	return w->alloc.free_units >= w->reserve_units + 2 * units;
}

static void copy_record(
	struct l0_writer *const *all, const struct l0_view *v, uint64_t now_ms, struct l0_copy *c)
{
	struct l0_put put = {
		.answer = v->answer,
		.created_ms = v->created_ms < now_ms ? v->created_ms : now_ms,
		.soft_ms = v->soft_ms,
		.hard_ms = v->hard_ms,
		.refresh_ms = v->refresh_ms,
		.stale_until_ms = v->stale_until_ms,
		.auth_ttl_s = v->auth_ttl_s,
		.mask = v->masked ? &v->mask : NULL,
	};
	l0_key_of_view(&all[0]->reader, v, &put.key);
	unsigned owner = l0_resolver_of(&all[0]->reader, put.key.hash);
	int rc = -ENOSPC;
	if (!(c->full & 1u << owner) && has_room(all[owner], v->units))
		rc = l0_writer_put(all[owner], &put);
	c->copied += rc == 0;
	c->discarded += rc != 0 && rc != -ENOSPC;
	c->full |= (rc == -ENOSPC) << owner;
}

// Every record is a line that is in no cache, and so is its place in the new index.
static void look_ahead(const struct l0_reader *from, uint64_t bucket)
{
	const uint64_t slot = (bucket & from->bucket_mask) * L0_BUCKET_SLOTS;
	for (uint32_t i = 0; i < L0_BUCKET_SLOTS; i++) {
		uint32_t number = l0_slot_record_of(from->buckets, (uint32_t)slot + i);
		if (number == L0_NONE || number >= from->unit_count)
			continue;
		const uint8_t *record = from->units + (size_t)number * L0_UNIT;
		__builtin_prefetch(record);
		__builtin_prefetch(record + CACHE_LINE);
	}
}

static void copy_slot(struct l0_writer *const *w, const struct l0_reader *from, uint32_t slot,
	uint64_t now_ms, struct l0_copy *c)
{
	bool second = c->cursor > from->bucket_mask;
	uint32_t number = l0_slot_record_of(from->buckets, slot);
	struct l0_view v;
	if (number == L0_NONE)
		return;
	if (!l0_record_read(from, number, &v))
		c->discarded += !second;
	else if ((l0_age_of(&v, now_ms) != L0_FRESH) != second)
		c->later += !second;
	else if (!l0_slot_sound(from, slot, now_ms))
		c->discarded++;
	else
		copy_record(w, &v, now_ms, c);
}

bool l0_writer_copy(struct l0_writer *const *w, const struct l0_reader *from, uint64_t now_ms,
	struct l0_copy *c, uint64_t buckets)
{
	uint64_t count = from->bucket_mask + 1;
	const unsigned all_full = (1u << w[0]->reader.resolvers) - 1;

	for (; buckets && c->cursor < 2 * count && c->full != all_full; buckets--, c->cursor++) {
		if (c->cursor == count && c->later == 0) {
			c->cursor = 2 * count; // all was fresh: there is nothing for a second round
			break;
		}
		look_ahead(from, c->cursor + 2);
		uint32_t slot = (uint32_t)((c->cursor & from->bucket_mask) * L0_BUCKET_SLOTS);
		for (unsigned i = 0; i < L0_BUCKET_SLOTS; i++)
			copy_slot(w, from, slot + i, now_ms, c);
	}
	return c->full == all_full || c->cursor >= 2 * count;
}

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

// Does a slot of unknown content, by its number in the table, hold a record to go on with?
static bool l0_slot_sound(const struct l0_reader *r, uint32_t slot, uint64_t now_ms)
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
