// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// An image in memory of its own, aligned to a page; or inside a mapping that is freed with it.

#include <stddef.h>
#include <weir/attr.h>

struct rule_arena {
	void *base;
	size_t size;
	void *map; // NULL: just these bytes
	size_t map_size;
};
ATTR_MUST_CHECK int rule_arena_new(struct rule_arena *a, size_t size); // zeroed; -ENOMEM
void rule_arena_free(struct rule_arena *a);                            // an empty one is fine
