// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The distinct sets of lists that names are in, numbered with 16 bits, while an image is built.
//
// A set is made by adding one list to an existing one. Sets are counted by the entries that use
// them; unused ones are recycled when the table is full. Of the 65,536 numbers RULE_SETS_CHUNKS are
// reserved for sets within eight adjacent lists, of which there are 32 * 255 at most: so a list can
// always be added to some set of a name, in the worst case to one of its own (rule_rows.h then
// gives the name one more entry). Nothing is ever lost or refused.
//
// Memory: 3 MiB, once. One thread.

#include <stdbool.h>
#include <stddef.h>
#include <weir/rule_image.h>

enum {
	RULE_SETS_CHUNKS = RULE_LISTS_MAX / 8 * 255,
	RULE_SETS_WIDE = RULE_SETS_MAX - RULE_SETS_CHUNKS, // most sets that span further lists
	RULE_SETS_INDEX = 2 * RULE_SETS_MAX,
};

struct rule_sets {
	struct rule_set set[RULE_SETS_MAX];
	uint32_t uses[RULE_SETS_MAX];    // entries in this set
	uint32_t index[RULE_SETS_INDEX]; // open addressing: set number + 1, 0: free
	uint16_t spare[RULE_SETS_MAX];   // recycled numbers
	uint32_t numbered, spares;       // numbers ever given; of these in spare
	uint32_t wide, idle;             // indexed sets beyond one chunk; indexed sets without use
};

struct rule_sets *rule_sets_new(void); // NULL: no memory. free(3) it.

// The set that holds `list` alone; counts `uses` uses of it, at least one.
uint16_t rule_sets_single(struct rule_sets *s, unsigned list, size_t uses);

// Moves one use from set *id to the set with `list` added. False: no number is left for that set.
bool rule_sets_add(struct rule_sets *s, uint16_t *id, unsigned list);
