// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// How large the rule image of a configuration will be, by what is on the disk.
//
// The last good image says it best: a quarter more is room for lists that grow. Without one it is
// reckoned from the lists' texts, local and fetched: 17 octets a name are at most one and a half
// times the text of names of 11 octets and more, which lists' names are in the mean. A list that
// was never fetched counts MEM_PLAN_LIST_USUAL, or its cap where that is less (max_mb is a bound
// against hostile servers; few lists come near it). Reads names and sizes of files alone.

#include "attr.h"

#include <stdint.h>

struct config;

enum { MEM_PLAN_LIST_USUAL = 8 << 20 };

struct mem_plan_lists {
	unsigned unfetched;
	uint64_t text;  // octets of lists, those that were never fetched reckoned
	uint64_t image; // of the image on disk; 0: none
	uint64_t bytes; // that the next image may have; 0: no lists
	uint64_t guess; // of these for lists that were never fetched
};
void mem_plan_lists_read(struct mem_plan_lists *out, const struct config *c);
