// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Bytes of a library that lets us set no functions of its heap: what the allocator gives to a
// thread, and gets back, while the library runs there, less what sites count (weir/heap_site.h).
// So code of weir that the library calls, and libraries with hooks that it calls, count as always;
// where weir's code may call other libraries without hooks, a section to skip is around it.
// Blocks that are freed outside of its calls stay in its account. Bytes are counted, not blocks.
//
// Any thread; the sections of one thread may lie within each other. A section costs some 10 ns.
// Without jemalloc all is 0.

#include "heap.h"

#include <weir/heap_site.h>

struct heap_meter {
	struct heap_thread thread;
	struct heap_own own;
};

// Called before the library is called.
struct heap_meter heap_meter_begin(void);
// Called when it returns. `library`: one of HEAP_MEASURED_LIST. Returns the bytes that it has more
// than before.
int64_t heap_meter_end(const struct heap_meter *m, enum heap_library library);
// Called when weir's code returns to the library: nothing of that section is the library's.
void heap_meter_skip(const struct heap_meter *m);
