// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Heap profiles as jemalloc writes them (heap_v2): call stacks with the bytes that each still
// holds, and the mapped files. After the maps weir writes the exact bytes of each site. A file
// given on the command line may have any contents: no profile is refused, and items over
// HEAP_STACKS_MAX stacks of HEAP_FRAMES_MAX frames, HEAP_MAPS_MAX maps or HEAP_COUNTS_MAX sites are
// only counted.
//
// Profiles of weirctl profile (controlplane/memory/profile.h) are read, too: allocations, stacks of
// threads, and, in a binary format, CPU time.
//
// Sampled numbers are scaled: a stack with blocks of s bytes is sampled with the probability
// 1 - exp(-s / sample).

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

enum { HEAP_STACKS_MAX = 20000, HEAP_FRAMES_MAX = 48, HEAP_MAPS_MAX = 512, HEAP_COUNTS_MAX = 2048 };

enum heap_kind { HEAP_HELD, HEAP_ALLOCATED, HEAP_THREADS, HEAP_CPU };

struct heap_stack {
	double blocks, bytes; // scaled; HEAP_CPU: samples and microseconds
	const char *label;    // HEAP_THREADS: the thread's name, in the text
	unsigned depth;
	uint64_t frame[HEAP_FRAMES_MAX]; // return addresses, innermost first
};

struct heap_map {
	uint64_t start, end, offset;
	const char *path; // points into the text
};

struct heap_count {                  // exact counts of a site
	const char *function, *file; // point into the text
	uint64_t bytes, made_bytes;  // allocated now, and ever
};

struct heap_text {
	enum heap_kind kind;
	uint64_t sample;
	unsigned stack_count, map_count, site_count, left_out;
	struct heap_stack *stack;
	struct heap_map map[HEAP_MAPS_MAX];
	struct heap_count site[HEAP_COUNTS_MAX];
};

// Reads a profile in text form. `text` ends with a zero byte, is changed, and must outlive the
// result. -EPROTO: no such profile; -ENOMEM.
ATTR_MUST_CHECK int heap_text_read(struct heap_text **out, char *text);
// Reads a profile in the binary format, of `len` bytes.
ATTR_MUST_CHECK int heap_text_read_cpu(struct heap_text **out, char *text, size_t len);
void heap_text_free(struct heap_text *h); // NULL is fine
const struct heap_map *heap_text_map(const struct heap_text *h, uint64_t address);
