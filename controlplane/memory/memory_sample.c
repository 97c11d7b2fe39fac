// SPDX-License-Identifier: BSD-3-Clause
#include "memory_sample.h"

#include "base/table_registry.h"

#include <stdio.h>
#include <string.h>
#include <weir/mem_account.h>
#include <weir/shm_region.h>

// NULL: there is no room.
static struct memory_item *put(
	struct memory_sample *s, uint32_t kind, const char *name, uint64_t value, uint64_t cap)
{
	if (s->count == MEMORY_SERIES_MAX) {
		s->refused++;
		return NULL;
	}
	struct memory_item *i = &s->item[s->count++];
	*i = (struct memory_item){.kind = kind, .value = value, .cap = cap};
	snprintf(i->name, sizeof(i->name), "%s", name);
	return i;
}

void memory_sample_put(struct memory_sample *s, uint32_t kind, const char *name, uint64_t value)
{
	(void)put(s, kind, name, value, 0);
}

void memory_sample_by(struct memory_sample *s, uint32_t kind, const char *name, const char *by)
{
	for (unsigned i = 0; i < s->count; i++)
		if (s->item[i].kind == kind && strcmp(s->item[i].name, name) == 0)
			snprintf(s->item[i].by, sizeof(s->item[i].by), "%s", by);
}

void memory_sample_table(struct memory_sample *s, const struct table_info *t)
{
	struct memory_item *i = put(s, MEMORY_FILL, t->name, t->used, t->cap);
	if (i)
		i->table = (struct memory_table){.kind = t->kind,
			.is_reserved = t->has & TABLE_RESERVED,
			.has_ages = t->has & TABLE_AGES,
			.bytes = t->bytes > t->shared ? t->bytes - t->shared : 0,
			.oldest_ms = t->oldest_ms,
			.stay_ms = t->stay_ms,
			.descriptors = t->descriptors};
}

void memory_sample_kinds(
	struct memory_sample *s, const char *prefix, const struct mem_kinds *k, uint64_t allocator)
{
	char name[MEMORY_NAME_MAX];
	uint64_t maps = 0, stale = 0;
	unsigned most = REGION_NONE; // region of most stale mappings
	for (unsigned i = 0; i < MEM_MAPS; i++) {
		uint64_t bytes = k->bytes[i], less = i == MEM_MAP_anonymous ? allocator : 0;
		snprintf(name, sizeof(name), "%smappings %s", prefix, mem_map_names[i]);
		memory_sample_bytes(s, name, bytes > less ? bytes - less : 0);
		maps += k->maps[i];
	}
	for (unsigned i = 0; i < MEM_FDS; i++) {
		snprintf(name, sizeof(name), "%sdescriptors %s", prefix, mem_fd_names[i]);
		memory_sample_count(s, name, k->descriptors[i]);
	}
	for (unsigned i = 0; i < REGION_KINDS; i++) {
		stale += k->deleted[i].stale;
		if (k->deleted[i].stale > k->deleted[most].stale)
			most = i;
	}
	snprintf(name, sizeof(name), "%smappings", prefix);
	memory_sample_count(s, name, maps);
	snprintf(name, sizeof(name), "%sdeleted", prefix);
	memory_sample_count(s, name, stale);
	if (stale)
		memory_sample_by(s, MEMORY_COUNT, name, region_kind_names[most]);
}

uint64_t memory_sample_get(const struct memory_sample *s, uint32_t kind, const char *name)
{
	for (unsigned i = 0; i < s->count; i++)
		if (s->item[i].kind == kind && strcmp(s->item[i].name, name) == 0)
			return s->item[i].value;
	return MEMORY_ABSENT;
}
