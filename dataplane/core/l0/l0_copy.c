// SPDX-License-Identifier: BSD-3-Clause

#include "l0_state.h"

#include <errno.h>

// Puts the live records of a table of another size into a new one that no worker reads yet. Checks
// the records of an earlier run as recovery does, one by one.

// Evicting for a copy would throw out copies. Twice the record: a run must be found for it.
static bool has_room(const struct l0_writer *w, uint32_t units)
{
	return w->alloc.free_units >= w->reserve_units + 2 * units;
}

// True: stored, or not worth it; false: no room.
static bool copy_record(
	struct l0_writer *w, const struct l0_view *v, uint64_t now_ms, struct l0_copy *c)
{
	if (!has_room(w, v->units))
		return false;
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
	l0_key_of_view(&w->reader, v, &put.key);
	int rc = l0_writer_put(w, &put);
	c->copied += rc == 0;
	c->discarded += rc != 0 && rc != -ENOSPC;
	return rc != -ENOSPC;
}

// Every record is a line that is in no cache, and so is its place in the new index.
static void look_ahead(const struct l0_reader *from, uint64_t bucket)
{
	const uint64_t slot = (bucket & from->bucket_mask) * L0_BUCKET_SLOTS;
	for (uint32_t i = 0; i < L0_BUCKET_SLOTS; i++) {
		uint32_t number = l0_slot_record_of(from, (uint32_t)slot + i);
		if (number == L0_NONE || number >= from->unit_count)
			continue;
		const uint8_t *record = from->units + (size_t)number * L0_UNIT;
		__builtin_prefetch(record);
		__builtin_prefetch(record + CACHE_LINE);
	}
}

// False: no room.
static bool copy_slot(struct l0_writer *w, const struct l0_reader *from, uint32_t slot,
	uint64_t now_ms, struct l0_copy *c)
{
	bool second = c->cursor > from->bucket_mask;
	uint32_t number = l0_slot_record_of(from, slot);
	struct l0_view v;
	if (number == L0_NONE)
		return true;
	if (!l0_record_read(from, number, &v)) {
		c->discarded += !second;
		return true;
	}
	if ((l0_age_of(&v, now_ms) != L0_FRESH) != second) {
		c->later += !second;
		return true;
	}
	if (!l0_slot_sound(from, slot, now_ms)) {
		c->discarded++;
		return true;
	}
	return copy_record(w, &v, now_ms, c);
}

bool l0_writer_copy(struct l0_writer *w, const struct l0_reader *from, uint64_t now_ms,
	struct l0_copy *c, uint64_t buckets)
{
	uint64_t count = from->bucket_mask + 1;

	for (; buckets && c->cursor < 2 * count && !c->full; buckets--, c->cursor++) {
		if (c->cursor == count && c->later == 0) {
			c->cursor = 2 * count; // all was fresh: there is nothing for a second round
			break;
		}
		look_ahead(from, c->cursor + 2);
		uint32_t slot = (uint32_t)((c->cursor & from->bucket_mask) * L0_BUCKET_SLOTS);
		for (unsigned i = 0; i < L0_BUCKET_SLOTS && !c->full; i++)
			c->full = !copy_slot(w, from, slot + i, now_ms, c);
	}
	return c->full || c->cursor >= 2 * count;
}
