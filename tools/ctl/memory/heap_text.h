// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Heap profiles as jemalloc writes them (heap_v2): call stacks with what each still holds, and the
// files that were mapped. A file given on the command line may hold anything: what is not one is
// refused, and bounds are HEAP_STACKS_MAX stacks of HEAP_FRAMES_MAX frames and HEAP_MAPS_MAX maps;
// what is over them is left out, counted.
//
// Sampled numbers are scaled to what they stand for: a stack whose blocks are of s bytes is seen
// with the chance 1 - exp(-s / sample).

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

enum { HEAP_STACKS_MAX = 20000, HEAP_FRAMES_MAX = 24, HEAP_MAPS_MAX = 512 };

struct heap_stack {
	double blocks, bytes; // scaled
	unsigned depth;
	uint64_t frame[HEAP_FRAMES_MAX]; // innermost first: return addresses
};

struct heap_map {
	uint64_t start, end, offset;
	const char *path; // into the text
};

struct heap_text {
	uint64_t sample;
	unsigned stack_count, map_count, left_out;
	struct heap_stack *stack;
	struct heap_map map[HEAP_MAPS_MAX];
};

// `text` ends with a zero byte, is changed, and outlives the result. -EPROTO: no such profile;
// -ENOMEM.
ATTR_MUST_CHECK int heap_text_read(struct heap_text **out, char *text);
void heap_text_free(struct heap_text *h); // NULL is fine
const struct heap_map *heap_text_map(const struct heap_text *h, uint64_t address);
