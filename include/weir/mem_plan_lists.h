// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Estimates the size of the rule image of a configuration from the files on disk.
//
// The last good image is the best estimate, with a quarter more for lists that grow. Without one
// the estimate is from the lists' texts, local and fetched: 17 bytes a name are at most one and a
// half times the text of names of 11 bytes and more, the mean of names in lists. A list that was
// never fetched counts MEM_PLAN_LIST_USUAL, or its cap where that is less (max_mb is a bound
// against hostile servers; few lists come near it). Reads names and sizes of files alone.

#include "attr.h"

#include <stdint.h>

struct config;

enum { MEM_PLAN_LIST_USUAL = 8 << 20 };

struct mem_plan_lists {
	unsigned unfetched;
	uint64_t text;  // bytes of lists, those that were never fetched reckoned
	uint64_t image; // of the image on disk; 0: none
	uint64_t bytes; // that the next image may have; 0: no lists
	uint64_t guess; // of these for lists that were never fetched
};
void mem_plan_lists_read(struct mem_plan_lists *out, const struct config *c);
