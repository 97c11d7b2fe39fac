// SPDX-License-Identifier: BSD-3-Clause

#include "l0_heat.h"

#include "l0_state.h"

#include <errno.h>
#include <weir/heap_site.h>
#include <weir/shm_abi.h>

int l0_heat_init(struct l0_heat *h, uint32_t slots)
{
	*h = (struct l0_heat){
		.slot = heap_calloc(slots, sizeof(*h->slot)),
		.memory = slots * sizeof(*h->slot),
	};
	return h->slot ? 0 : -ENOMEM;
}

void l0_heat_destroy(struct l0_heat *h)
{
	FREE_AND_NULL(h->slot);
	*h = (struct l0_heat){0};
}

void l0_heat_set_renewed(struct l0_heat *h, uint32_t slot, bool renewed)
{
	h->slot[slot].renewed = renewed;
}

void l0_heat_clear(struct l0_heat *h, uint32_t slot)
{
	h->slot[slot] = (struct l0_slot_heat){0};
}

void l0_heat_add(struct l0_heat *h, uint32_t slot, unsigned hits)
{
	uint8_t *waiting = &h->slot[slot].waiting;
	unsigned room = UINT8_MAX - *waiting;
	*waiting = (uint8_t)(*waiting + (hits < room ? hits : room));
}

static uint32_t fold(uint32_t heat, uint32_t keep_256, uint32_t hits, uint32_t weigh_256)
{
	uint64_t sum = (uint64_t)heat * keep_256 + (uint64_t)hits * L0_HEAT_ONE * weigh_256;
	return sum / 256 < UINT16_MAX ? (uint32_t)(sum / 256) : UINT16_MAX;
}

uint32_t l0_heat_fold(struct l0_heat *h, uint32_t slot, uint32_t *hits, uint32_t weigh_256)
{
	struct l0_slot_heat *of = &h->slot[slot];
	*hits += of->waiting;
	of->waiting = 0;
	// Most records of a large cache: no line of theirs is written.
	if (*hits == 0 && of->heat == 0)
		return 0;
	return of->heat = (uint16_t)fold(of->heat, h->keep_256, *hits, weigh_256);
}

// The least heat after a fold.
static uint32_t heat_peek(const struct l0_heat *h, uint32_t slot, uint32_t hits)
{
	uint32_t now = h->slot[slot].heat;
	uint32_t then = fold(now, h->keep_256, hits + h->slot[slot].waiting, 256);
	return then > now ? then : now;
}

void l0_heat_used(struct l0_writer *w, uint32_t slot, uint32_t hits)
{
	if (hits == 0 || !w->heat.slot[slot].renewed)
		return;
	l0_heat_set_renewed(&w->heat, slot, false);
	w->stats.renewed_used++;
}

void l0_heat_carry(struct l0_writer *w, uint32_t slot, uint32_t old)
{
	uint32_t hits = l0_hits_take(w, old);
	l0_heat_used(w, slot, hits);
	l0_heat_add(&w->heat, slot, hits);
}

uint32_t l0_writer_heat(const struct l0_writer *w, const struct l0_key *key)
{
	uint32_t slot = l0_slot_of_key(w, key);
	if (slot == L0_SLOT_NONE)
		return 0;
	return heat_peek(&w->heat, slot, l0_hits_peek(w, l0_record_in(w, slot)));
}

void l0_writer_heat_add(struct l0_writer *w, const struct l0_key *key, unsigned hits)
{
	uint32_t slot = l0_slot_of_key(w, key);
	if (slot == L0_SLOT_NONE)
		return;
	l0_heat_add(&w->heat, slot, hits);
	l0_sieve_carry(&w->sieve, slot);
}
