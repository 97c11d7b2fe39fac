// SPDX-License-Identifier: BSD-3-Clause

// The frontend's slots: a place for each question that waits for the resolver, in its session's
// list and in the list of all by age.
#include "frontend_internal.h"
#include "resolver/kept_query.h"

uint32_t frontend_slot_number(const struct frontend *f, const struct frontend_slot *slot)
{
	return (uint32_t)(slot - f->slot);
}

struct frontend_slot *frontend_slot_take(struct frontend *f)
{
	if (f->free != FRONTEND_NIL) {
		struct frontend_slot *slot = &f->slot[f->free];
		f->free = slot->next;
		return slot;
	}
	bool full = f->touched == FRONTEND_PENDING_MAX;
	f->full += full;
	return &f->slot[full ? FRONTEND_PENDING_MAX : f->touched++];
}

bool frontend_slot_is_last(const struct frontend *f, const struct frontend_slot *slot)
{
	return frontend_slot_number(f, slot) == FRONTEND_PENDING_MAX;
}

void frontend_slot_give_back(struct frontend *f, struct frontend_slot *slot)
{
	slot->life++;
	slot->session = NULL;
	kept_query_end(resolver_kept_queries(f->r), slot->query, slot->query_len);
	slot->query = NULL;
	if (frontend_slot_is_last(f, slot))
		return;
	slot->next = f->free;
	f->free = frontend_slot_number(f, slot);
}

void frontend_slot_link(struct frontend *f, struct frontend_slot *slot, struct frontend_session *s)
{
	uint32_t n = frontend_slot_number(f, slot);

	slot->session = s;
	slot->previous = FRONTEND_NIL;
	slot->next = s->first;
	if (s->first != FRONTEND_NIL)
		f->slot[s->first].previous = n;
	s->first = n;
	s->pending++;
	slot->next_age = FRONTEND_NIL;
	slot->earlier = f->newest;
	if (f->newest != FRONTEND_NIL)
		f->slot[f->newest].next_age = n;
	else
		f->oldest = n;
	f->newest = n;
	if (++f->status.pending > f->status.pending_max)
		f->status.pending_max = f->status.pending;
}

void frontend_slot_unlink(struct frontend *f, struct frontend_slot *slot)
{
	struct frontend_session *s = slot->session;

	if (slot->previous != FRONTEND_NIL)
		f->slot[slot->previous].next = slot->next;
	else
		s->first = slot->next;
	if (slot->next != FRONTEND_NIL)
		f->slot[slot->next].previous = slot->previous;
	s->pending--;
	if (slot->earlier != FRONTEND_NIL)
		f->slot[slot->earlier].next_age = slot->next_age;
	else
		f->oldest = slot->next_age;
	if (slot->next_age != FRONTEND_NIL)
		f->slot[slot->next_age].earlier = slot->earlier;
	else
		f->newest = slot->earlier;
	f->status.pending--;
}
