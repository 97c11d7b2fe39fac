// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Heap profiles that weir keeps by itself, so that an alarm can be explained by stacks afterwards:
// heap-auto-1, the newest, to heap-auto-3 in the folder, a new one every ten minutes and
// before the profile's rate is changed. Each is at most HEAP_DUMP_MAX. Taken and written on a
// helper thread. Owned by the service loop. Without a profiler there are none.

#include <weir/attr.h>

struct heap_baselines;
struct loop;

enum { HEAP_BASELINES = 3, HEAP_BASELINES_MS = 600000 };

// -ENOMEM.
ATTR_MUST_CHECK int heap_baselines_open(
	struct heap_baselines **out, struct loop *service, const char *folder);
void heap_baselines_close(struct heap_baselines *b); // NULL is fine
// Takes one now, and waits for it: some ms.
void heap_baselines_take(struct heap_baselines *b);
