// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Growth between two heap profiles, by call stack, and cumulated by function. Stacks differ if the
// names of their functions do, so profiles of two runs of one program can be compared. Frames of
// allocators are left out; of the other frames the innermost HEAP_DIFF_FRAMES count.
//
// A sampled growth that the exact counts of the sites contradict is no growth: the block was
// allocated before the profile's rate changed, and was freed and allocated again after that.

#include "heap_text.h"

enum { HEAP_DIFF_FRAMES = 32 };

struct heap_growth {
	char *stack[HEAP_DIFF_FRAMES]; // innermost first
	unsigned depth;
	double bytes_before, bytes, blocks_before, blocks;
	bool is_made_again; // the sites of its file did not grow; sorted after the others
};

struct heap_diff {
	unsigned count;
	double bytes_before, bytes; // sums over all stacks
	struct heap_growth *growth; // largest first
};

// `before` NULL: an empty profile. -ENOMEM.
ATTR_MUST_CHECK int heap_diff_make(
	struct heap_diff *out, const struct heap_text *before, const struct heap_text *after);
// Sums up by function, over all stacks that have it; each becomes a stack of depth 1. -ENOMEM.
ATTR_MUST_CHECK int heap_diff_cumulate(struct heap_diff *out, const struct heap_diff *of);
void heap_diff_free(struct heap_diff *d);
