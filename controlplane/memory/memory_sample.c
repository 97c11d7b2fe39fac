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

static void account_take(struct memory_sample *m, const char *account, uint64_t bytes)
{
	char name[MEMORY_NAME_MAX];
	if (bytes == 0)
		return;
	snprintf(name, sizeof(name), METER_DATAPLANE "%s", account);
	memory_sample_bytes(m, name, bytes);
}

// Libraries with allocation hooks and those without are one series: of the latter only the constant
// amount at the start is known.
static void heap_take(struct memory_sample *m, const struct stats_memory_copy *heap)
{
	for (unsigned i = 0; i < MEM_ACCOUNT_COUNT; i++)
		account_take(m, mem_account_names[i],
			heap->account[i] + (i == MEM_ACCOUNT_libraries ? heap->libraries : 0));
	// Nothing is a value of it like others, about which it wavers.
	memory_sample_bytes(m, METER_DATAPLANE "unexplained", heap->unexplained);
	memory_sample_bytes(m, METER_DATAPLANE "allocator", heap->held);
}

static void buffers_take(struct memory_sample *m, const struct stats_copy *s)
{
	uint32_t by[MBUF_OWNERS];
	char owners[STATS_OWNERS_TEXT];
	uint64_t used = 0;
	for (unsigned i = 0; i < s->workers; i++)
		used += s->worker[i].table[STATS_dp_buffers].used;
	const uint64_t missing = stats_mbufs_missing(s, by);
	memory_sample_count(m, METER_DATAPLANE "buffers", missing);
	if (missing) {
		stats_owners_text(by, owners);
		memory_sample_by(m, MEMORY_COUNT, METER_DATAPLANE "buffers", owners);
	}
	memory_sample_count(m, METER_DATAPLANE "buffers_used", used);
}

void memory_sample_dataplane(struct memory_sample *m, const struct stats_copy *s)
{
	const struct stats_eal eal = stats_eal_split(s);
	m->sites = s->sites;
	m->site = s->site;
	heap_take(m, &s->memory);
	if (s->kinds.looks)
		memory_sample_kinds(m, METER_DATAPLANE, &s->kinds, s->memory.held);
	account_take(m, "packet buffers", eal.buffers);
	account_take(m, "workers", eal.workers);
	account_take(m, "others", eal.others);
	account_take(m, "drivers", eal.drivers);
	buffers_take(m, s);
}
