// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What grew between two heap profiles, by call stack, and cumulated by function. Stacks are told
// apart by the names of their functions, so profiles of two lives of one program can be compared;
// the frames of allocators are left out, and of the rest the innermost HEAP_DIFF_FRAMES count.
//
// A sampled growth that the exact counts of the sites contradict is no growth: a block that was
// allocated before the profile's rate was changed, and was freed and made again since.

#include "heap_text.h"
#include "symbols.h"

enum { HEAP_DIFF_FRAMES = 32 };

struct heap_growth {
	char *stack[HEAP_DIFF_FRAMES]; // innermost first
	unsigned depth;
	double bytes_before, bytes, blocks_before, blocks;
	bool is_made_again; // the sites of its file did not grow; these are behind the others
};

struct heap_diff {
	unsigned count;
	double bytes_before, bytes; // of all
	struct heap_growth *growth; // the largest first
};

// `before` NULL: as if it had been empty. -ENOMEM.
ATTR_MUST_CHECK int heap_diff_make(struct heap_diff *out, const struct heap_text *before,
	const struct heap_text *after, struct symbols *symbols);
// By function: each with all stacks that it is in, one of depth 1. -ENOMEM.
ATTR_MUST_CHECK int heap_diff_cumulate(struct heap_diff *out, const struct heap_diff *of);
void heap_diff_free(struct heap_diff *d);
