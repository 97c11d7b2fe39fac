// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A table of a sample, of which only the fill matters.

#include "controlplane/base/table_registry.h"
#include "controlplane/memory/memory_sample.h"

static inline void memory_sample_fill(
	struct memory_sample *s, const char *name, uint64_t used, uint64_t cap)
{
	memory_sample_table(s,
		&(struct table_info){.name = name, .kind = TABLE_CACHE, .used = used, .cap = cap});
}
