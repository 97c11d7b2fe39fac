// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Memory that runs out at a chosen allocation, of whoever asks: the product, its libraries, the C
// library. This program's malloc and its kin stand before the C library's, so there is none of it
// in builds with sanitizers, which have theirs. Of the calling thread alone.

#include <stdbool.h>

// From now on allocation `n` fails, counted from 1; with `ever` all after it too. 0: none.
void memory_fails_at(unsigned long n, bool ever);
// Ends that. Allocations asked for since.
unsigned long memory_fails_end(void);
// Blocks that this thread has made and not freed since the last memory_fails_at.
long memory_fails_left(void);
