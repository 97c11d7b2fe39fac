// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Who called the library that allocates: sites by library and the two innermost functions of this
// program below it.
//
// An allocation of a library walks its stack, past the library's frames, at most 32 of them. Such a
// walk takes some 0.5 us (a stack of four frames) to 4 us, so libraries and threads that allocate
// often walk for one allocation of several only (HEAP_LIBRARY_LIST); the others stay with the
// library's own site, as do all when the table is full or no function of this program is found.
// Sites are made once and stay. Any thread; a lock is held only while a site is made.

#include <stdbool.h>
#include <stdint.h>
#include <weir/heap_site.h>

enum { HEAP_CALLERS_MAX = 512, HEAP_CALLER_NAME = HEAP_SITE_NAME };

// The site of the present caller; NULL: not known.
struct heap_site *heap_caller_find(enum heap_library library, const char *name);
// The site with that number, below HEAP_CALLERS_MAX; NULL if it is not made yet.
struct heap_site *heap_caller_at(uint64_t number);
// UINT64_MAX: not one of these.
uint64_t heap_caller_number(const struct heap_site *s);
enum heap_library heap_caller_library(uint64_t number);

// "library < function < its caller"; false: not one of these. A stripped program has offsets. The
// first name maps the program's file, for good.
bool heap_caller_name(const struct heap_site *s, char out[HEAP_CALLER_NAME]);
