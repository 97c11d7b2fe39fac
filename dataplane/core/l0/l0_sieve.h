// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The SIEVE queue of L0 (Zhang et al., "SIEVE is Simpler than LRU", NSDI 2024): records in order of
// insertion and a hand that moves from the oldest towards the newest. A visited record stays in its
// place; an unvisited one is evicted. Nothing moves on a hit.
//
// A record's id is its index slot, which it keeps for life, even when it is replaced. Two links of
// 4 bytes and one bit per slot. The bit carries "visited" over to a replacement, whose own marks
// only the workers could set. Owner: struct l0_writer; one thread.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

#define L0_SLOT_NONE UINT32_MAX

struct l0_sieve_link { // both on one line of the CPU's caches
	uint32_t newer, older;
};

struct l0_sieve {
	uint32_t slots;
	uint32_t newest, oldest;
	uint32_t hand; // the next candidate; NONE: the oldest
	struct l0_sieve_link *link;
	uint64_t *carried;
	size_t memory; // bytes allocated
};

ATTR_MUST_CHECK int l0_sieve_init(struct l0_sieve *s, uint32_t slots); // -ENOMEM
void l0_sieve_destroy(struct l0_sieve *s);                             // safe on a zeroed one

void l0_sieve_insert(struct l0_sieve *s, uint32_t slot); // inserts it as the newest, not visited
void l0_sieve_remove(struct l0_sieve *s, uint32_t slot); // the hand moves on if it was there

void l0_sieve_carry(struct l0_sieve *s, uint32_t slot); // counts as visited once
bool l0_sieve_carried(const struct l0_sieve *s, uint32_t slot);
bool l0_sieve_uncarry(struct l0_sieve *s, uint32_t slot); // clears; was it set?

uint32_t l0_sieve_hand(const struct l0_sieve *s); // NONE: the queue is empty
void l0_sieve_spare(struct l0_sieve *s);          // moves the hand on, the record stays
