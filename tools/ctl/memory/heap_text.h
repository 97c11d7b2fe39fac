// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Heap profiles as jemalloc writes them (heap_v2): call stacks with what each still holds, and the
// files that were mapped. A file given on the command line may hold anything: what is not one is
// refused, and bounds are HEAP_STACKS_MAX stacks of HEAP_FRAMES_MAX frames, HEAP_MAPS_MAX maps and
// HEAP_COUNTS_MAX sites; what is over them is left out, counted. Behind the maps weir writes the
// exact bytes of each site.
//
// The profiles of weirctl profile are read too (controlplane/memory/profile.h): what has been
// allocated, what each thread does, and, in a binary format, where CPU time goes.
//
// Sampled numbers are scaled to what they stand for: a stack whose blocks are of s bytes is seen
// with the chance 1 - exp(-s / sample).

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

enum { HEAP_STACKS_MAX = 20000, HEAP_FRAMES_MAX = 48, HEAP_MAPS_MAX = 512, HEAP_COUNTS_MAX = 2048 };

enum heap_kind { HEAP_HELD, HEAP_ALLOCATED, HEAP_THREADS, HEAP_CPU };

struct heap_stack {
	double blocks, bytes; // scaled; HEAP_CPU: samples and microseconds
	const char *label;    // HEAP_THREADS: of the thread, into the text
	unsigned depth;
	uint64_t frame[HEAP_FRAMES_MAX]; // innermost first: return addresses
};

struct heap_map {
	uint64_t start, end, offset;
	const char *path; // into the text
};

struct heap_count {                  // a site
	const char *function, *file; // into the text
	uint64_t bytes, made_bytes;  // out now, ever; exact
};

struct heap_text {
	enum heap_kind kind;
	uint64_t sample;
	unsigned stack_count, map_count, site_count, left_out;
	struct heap_stack *stack;
	struct heap_map map[HEAP_MAPS_MAX];
	struct heap_count site[HEAP_COUNTS_MAX];
};

// `text` ends with a zero byte, is changed, and outlives the result. -EPROTO: no such profile;
// -ENOMEM.
ATTR_MUST_CHECK int heap_text_read(struct heap_text **out, char *text);
// The same of the binary format, of `len` bytes.
ATTR_MUST_CHECK int heap_text_read_cpu(struct heap_text **out, char *text, size_t len);
void heap_text_free(struct heap_text *h); // NULL is fine
const struct heap_map *heap_text_map(const struct heap_text *h, uint64_t address);
