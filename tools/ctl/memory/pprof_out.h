// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Writes a profile in the format of pprof (profile.proto of github.com/google/pprof, not
// compressed), with names of functions in its stacks, so that a reader needs neither the program
// nor its libraries.
//
// Strings are kept until the end, each once; a sample is written at once.

#include "cmd_heap.h"

#include <stdio.h>

struct pprof_out;

// Sample values are counts and microseconds (HEAP_CPU), counts and bytes (HEAP_ALLOCATED), or
// counts (HEAP_THREADS). NULL: no memory.
struct pprof_out *pprof_out_new(enum heap_kind kind, FILE *f);
// `thread` NULL: no label.
void pprof_out_sample(struct pprof_out *p, const struct heap_growth *g, const char *thread);
// Writes the rest and frees `p`. -ENOMEM, or -EIO: the file could not be written. The file stays
// open.
ATTR_MUST_CHECK int pprof_out_end(struct pprof_out *p);
