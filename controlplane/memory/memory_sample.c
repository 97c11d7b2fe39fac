// SPDX-License-Identifier: BSD-3-Clause
#include "memory_sample.h"

#include <stdio.h>
#include <string.h>

static void put(
	struct memory_sample *s, uint32_t kind, const char *name, uint64_t value, uint64_t cap)
{
	if (s->count == MEMORY_SERIES_MAX) {
		s->refused++;
		return;
	}
	struct memory_item *i = &s->item[s->count++];
	*i = (struct memory_item){.kind = kind, .value = value, .cap = cap};
	snprintf(i->name, sizeof(i->name), "%s", name);
}

void memory_sample_bytes(struct memory_sample *s, const char *name, uint64_t bytes)
{
	put(s, MEMORY_BYTES, name, bytes, 0);
}

void memory_sample_fill(struct memory_sample *s, const char *name, uint64_t used, uint64_t cap)
{
	put(s, MEMORY_FILL, name, used, cap);
}

uint64_t memory_sample_get(const struct memory_sample *s, uint32_t kind, const char *name)
{
	for (unsigned i = 0; i < s->count; i++)
		if (s->item[i].kind == kind && strcmp(s->item[i].name, name) == 0)
			return s->item[i].value;
	return MEMORY_ABSENT;
}
