// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The list of large blocks that heap_site.c keeps, for heap_large_blocks (weir/heap_site.h). Any
// thread, without locks; an addition or removal looks at up to HEAP_LARGE_MAX words, which is
// little beside the system calls for so large a block.

#include <weir/heap_site.h>

void heap_large_add(void *p, size_t usable, const struct heap_site *s);
void heap_large_remove(const void *p);
