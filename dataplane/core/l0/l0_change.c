// SPDX-License-Identifier: BSD-3-Clause

// Changes of a record. Records are immutable, so a change writes a new record that differs in its
// stamp, in the mask that it is checked by, or in the time when it was made.

#include "l0_state.h"

#include <errno.h>
#include <weir/fault.h>

// Units for the record that takes the place of the key's, which is *slot's. -ENOENT, or -ENOSPC.
static int change_begin(struct l0_writer *w, const struct l0_key *key, uint32_t bytes,
	uint32_t *slot, uint32_t *number)
{
	l0_make_room(w, l0_units_of(bytes));
	*slot = l0_slot_of_key(w, key); // may have had to make room itself
	if (*slot == L0_SLOT_NONE)
		return -ENOENT;
	*number = l0_take(w, l0_units_of(bytes));
	if (*number)
		return 0;
	w->stats.refused_nospace++;
	return -ENOSPC;
}

static void change_end(struct l0_writer *w, uint32_t slot, uint32_t number)
{
	struct l0_record *p = l0_record_at(w, number);
	p->check = l0_check_of(p);
	FAULT_POINT(l0_restamp_written);
	l0_unmark(w, number, UINT8_MAX);
	l0_replace(w, slot, number);
	w->stats.replaced++;
}

// Adjusts the sum, which covers head and mask, by the change of both.
static void sum_follow(struct l0_record *p, uint64_t old_head, uint64_t less, uint64_t more)
{
	uint64_t change = csum_wide_add(old_head, ~p->head_word);
	change = csum_wide_add(change, csum_wide_add(less, ~more));
	p->sum = htobe16(csum_fold(csum_wide_add((uint64_t)p->sum, change)));
}

// `flag`: L0_RECORD_STAMPED, which says what `then_ms` is, or 0.
static int then_set(struct l0_writer *w, const struct l0_key *key, uint8_t flag, uint32_t then_ms)
{
	uint32_t number, slot = l0_slot_of_key(w, key);
	if (slot == L0_SLOT_NONE)
		return -ENOENT;
	uint32_t bytes = l0_record_bytes(l0_record_at(w, l0_record_in(w, slot)));
	int rc = change_begin(w, key, bytes, &slot, &number);
	if (rc < 0)
		return rc;
	struct l0_record *p = l0_record_at(w, number);
	memcpy(p, l0_record_at(w, l0_record_in(w, slot)), bytes);
	uint64_t was = p->head_word;
	p->flags = (uint8_t)((p->flags & ~L0_RECORD_STAMPED) | flag);
	p->then_ms = then_ms;
	sum_follow(p, was, 0, 0);
	change_end(w, slot, number);
	return 0;
}

int l0_writer_restamp(struct l0_writer *w, const struct l0_key *key, uint32_t stale_until_ms)
{
	return then_set(w, key, L0_RECORD_STAMPED, stale_until_ms);
}

int l0_writer_tell_from(struct l0_writer *w, const struct l0_key *key, uint32_t refresh_ms)
{
	return then_set(w, key, 0, refresh_ms);
}

static struct rule_set mask_of(const struct l0_record *p)
{
	struct rule_set none = {0};
	uint32_t end = l0_record_bytes(p);
	return p->flags & L0_RECORD_MASKED ? l0_mask_at(p, end - (uint32_t)sizeof(none)) : none;
}

int l0_writer_set_mask(struct l0_writer *w, const struct l0_key *key, const struct rule_set *mask)
{
	uint32_t number, slot = l0_slot_of_key(w, key);
	if (slot == L0_SLOT_NONE)
		return -ENOENT;
	const struct l0_record *old = l0_record_at(w, l0_record_in(w, slot));
	struct rule_set was = mask_of(old), is = {0};
	if (!l0_mask_is_empty(mask))
		is = *mask;
	if (memcmp(&was, &is, sizeof(is)) == 0)
		return 0;
	uint32_t bytes = l0_record_bytes(old);
	uint32_t kept = bytes - (old->flags & L0_RECORD_MASKED ? sizeof(was) : 0);
	bytes = kept + (l0_mask_is_empty(&is) ? 0 : sizeof(is));
	int rc = change_begin(w, key, bytes, &slot, &number);
	if (rc == -ENOSPC)
		(void)l0_writer_delete(w, key);
	if (rc < 0)
		return rc;
	struct l0_record *p = l0_record_at(w, number);
	memcpy(p, l0_record_at(w, l0_record_in(w, slot)), kept);
	uint64_t head = p->head_word;
	p->flags &= (uint8_t)~L0_RECORD_MASKED;
	if (!l0_mask_is_empty(&is)) {
		p->flags |= L0_RECORD_MASKED;
		memcpy((uint8_t *)p + kept, &is, sizeof(is));
	}
	sum_follow(p, head, l0_mask_sum(&was), l0_mask_sum(&is));
	change_end(w, slot, number);
	return 0;
}

int l0_writer_age(struct l0_writer *w, const struct l0_key *key, uint32_t by_ms)
{
	uint32_t number, slot = l0_slot_of_key(w, key);
	if (slot == L0_SLOT_NONE)
		return -ENOENT;
	uint32_t bytes = l0_record_bytes(l0_record_at(w, l0_record_in(w, slot)));
	int rc = change_begin(w, key, bytes, &slot, &number);
	if (rc == -ENOSPC)
		(void)l0_writer_delete(w, key);
	if (rc < 0)
		return rc;
	struct l0_record *p = l0_record_at(w, number);
	memcpy(p, l0_record_at(w, l0_record_in(w, slot)), bytes);
	uint64_t head = p->head_word;
	p->created_ms = p->created_ms > by_ms ? p->created_ms - by_ms : 0;
	sum_follow(p, head, 0, 0);
	change_end(w, slot, number);
	return 0;
}
