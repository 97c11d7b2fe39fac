// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// How often clients ask for each record of L0: the writer's private counts, by index slot, which a
// record keeps through its replacements. l0_writer.h explains them.
//
// Four bytes per slot: heat, hits that are no longer in the workers' marks (or never
// were) and wait for the next fold, and whether refresh-ahead made this copy and no client has
// asked for it since. Owner: struct l0_writer; one thread.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

struct l0_slot_heat {
	uint16_t heat;
	uint8_t waiting;
	bool renewed;
};

struct l0_heat {
	struct l0_slot_heat *slot;
	uint32_t keep_256; // how much the last fold kept, in 256ths
	size_t memory;     // bytes allocated
};

ATTR_MUST_CHECK int l0_heat_init(struct l0_heat *h, uint32_t slots); // -ENOMEM
void l0_heat_destroy(struct l0_heat *h);                             // safe on a zeroed one

void l0_heat_clear(struct l0_heat *h, uint32_t slot);
void l0_heat_add(struct l0_heat *h, uint32_t slot, unsigned hits); // saturates
// The next round's heat, of `hits` and those that waited; `hits` becomes their sum.
uint32_t l0_heat_fold(struct l0_heat *h, uint32_t slot, uint32_t *hits, uint32_t weigh_256);

void l0_heat_set_renewed(struct l0_heat *h, uint32_t slot, bool renewed);
