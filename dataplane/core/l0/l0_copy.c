// SPDX-License-Identifier: BSD-3-Clause

#include "l0_state.h"

#include <errno.h>

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
