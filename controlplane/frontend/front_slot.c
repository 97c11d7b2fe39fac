// SPDX-License-Identifier: BSD-3-Clause

// The front's slots: a place for each question that waits for the resolver, in its session's list
// and in the list of all by age.
#include "front_internal.h"
#include "resolver/kept_query.h"

uint32_t front_slot_number(const struct front *f, const struct front_slot *slot)
{
	return (uint32_t)(slot - f->slot);
}

struct front_slot *front_slot_take(struct front *f)
{
	if (f->free != FRONT_NIL) {
		struct front_slot *slot = &f->slot[f->free];
		f->free = slot->next;
		return slot;
	}
	bool full = f->touched == FRONT_PENDING_MAX;
	f->full += full;
	return &f->slot[full ? FRONT_PENDING_MAX : f->touched++];
}

bool front_slot_is_last(const struct front *f, const struct front_slot *slot)
{
	return front_slot_number(f, slot) == FRONT_PENDING_MAX;
}

void front_slot_give_back(struct front *f, struct front_slot *slot)
{
	slot->life++;
	slot->session = NULL;
	kept_query_end(resolver_kept_queries(f->r), slot->query, slot->query_len);
	slot->query = NULL;
	if (front_slot_is_last(f, slot))
		return;
	slot->next = f->free;
	f->free = front_slot_number(f, slot);
}

void front_slot_link(struct front *f, struct front_slot *slot, struct front_session *s)
{
	uint32_t n = front_slot_number(f, slot);

	slot->session = s;
	slot->previous = FRONT_NIL;
	slot->next = s->first;
	if (s->first != FRONT_NIL)
		f->slot[s->first].previous = n;
	s->first = n;
	s->pending++;
	slot->next_age = FRONT_NIL;
	slot->earlier = f->newest;
	if (f->newest != FRONT_NIL)
		f->slot[f->newest].next_age = n;
	else
		f->oldest = n;
	f->newest = n;
	if (++f->status.pending > f->status.pending_max)
		f->status.pending_max = f->status.pending;
}

void front_slot_unlink(struct front *f, struct front_slot *slot)
{
	struct front_session *s = slot->session;

	if (slot->previous != FRONT_NIL)
		f->slot[slot->previous].next = slot->next;
	else
		s->first = slot->next;
	if (slot->next != FRONT_NIL)
		f->slot[slot->next].previous = slot->previous;
	s->pending--;
	if (slot->earlier != FRONT_NIL)
		f->slot[slot->earlier].next_age = slot->next_age;
	else
		f->oldest = slot->next_age;
	if (slot->next_age != FRONT_NIL)
		f->slot[slot->next_age].earlier = slot->earlier;
	else
		f->newest = slot->earlier;
	f->status.pending--;
}
