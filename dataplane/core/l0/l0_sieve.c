// SPDX-License-Identifier: BSD-3-Clause

#include "l0_sieve.h"

#include <errno.h>
#include <weir/heap_site.h>

int l0_sieve_init(struct l0_sieve *s, uint32_t slots)
{
	size_t words = slots / 64 + 1;
	*s = (struct l0_sieve){
		.slots = slots,
		.newest = L0_SLOT_NONE,
		.oldest = L0_SLOT_NONE,
		.hand = L0_SLOT_NONE,
		.link = heap_malloc(slots * sizeof(*s->link)),
		.carried = heap_calloc(words, sizeof(*s->carried)),
		.memory = slots * sizeof(*s->link) + words * sizeof(*s->carried),
	};
	if (s->link && s->carried)
		return 0;
	l0_sieve_destroy(s);
	return -ENOMEM;
}

void l0_sieve_destroy(struct l0_sieve *s)
{
	FREE_AND_NULL(s->link);
	FREE_AND_NULL(s->carried);
	*s = (struct l0_sieve){0};
}

void l0_sieve_insert(struct l0_sieve *s, uint32_t slot)
{
	s->link[slot] = (struct l0_sieve_link){.newer = L0_SLOT_NONE, .older = s->newest};
	if (s->newest != L0_SLOT_NONE)
		s->link[s->newest].newer = slot;
	else
		s->oldest = slot;
	s->newest = slot;
}

void l0_sieve_remove(struct l0_sieve *s, uint32_t slot)
{
	const uint32_t newer = s->link[slot].newer, older = s->link[slot].older;
	if (s->hand == slot)
		s->hand = newer;
	if (newer != L0_SLOT_NONE)
		s->link[newer].older = older;
	else
		s->newest = older;
	if (older != L0_SLOT_NONE)
		s->link[older].newer = newer;
	else
		s->oldest = newer;
	(void)l0_sieve_uncarry(s, slot);
}

void l0_sieve_carry(struct l0_sieve *s, uint32_t slot)
{
	s->carried[slot / 64] |= UINT64_C(1) << slot % 64;
}

bool l0_sieve_carried(const struct l0_sieve *s, uint32_t slot)
{
	return s->carried[slot / 64] >> slot % 64 & 1;
}

bool l0_sieve_uncarry(struct l0_sieve *s, uint32_t slot)
{
	bool was = l0_sieve_carried(s, slot);
	s->carried[slot / 64] &= ~(UINT64_C(1) << slot % 64);
	return was;
}

uint32_t l0_sieve_hand(const struct l0_sieve *s)
{
	return s->hand != L0_SLOT_NONE ? s->hand : s->oldest;
}

void l0_sieve_spare(struct l0_sieve *s)
{
	s->hand = s->link[l0_sieve_hand(s)].newer;
}
