// SPDX-License-Identifier: BSD-3-Clause
#include "memory_sample.h"

#include "base/table_registry.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/heap_site.h>
#include <weir/mem_account.h>
#include <weir/shm_region.h>

enum { TREND_ROWS_MAX = 1440 };

int memory_ring_open(struct memory_ring *r, unsigned length)
{
	*r = (struct memory_ring){.length = length};
	r->row = heap_calloc(length, sizeof(*r->row));
	return r->row ? 0 : -ENOMEM;
}

void memory_ring_close(struct memory_ring *r)
{
	FREE_AND_NULL(r->row);
}

size_t memory_ring_bytes(const struct memory_ring *r)
{
	return r->length * sizeof(*r->row);
}

static bool series_is(const struct memory_series *s, const struct memory_item *item)
{
	return s->kind == item->kind && strcmp(s->name, item->name) == 0;
}

// Samples come in the same order each time, so the guess is right but for the first.
static struct memory_series *series_find(
	struct memory_ring *r, const struct memory_item *item, unsigned guess)
{
	struct memory_series *empty = NULL;
	if (series_is(&r->series[guess], item))
		return &r->series[guess];
	for (unsigned i = 0; i < MEMORY_SERIES_MAX; i++) {
		struct memory_series *s = &r->series[i];
		bool past = !s->name[0] || s->last + r->length <= r->next;
		if (!past && series_is(s, item))
			return s;
		if (!empty && past)
			empty = s;
	}
	if (!empty)
		return NULL;
	*empty = (struct memory_series){.kind = item->kind, .since = r->next};
	memcpy(empty->name, item->name, sizeof(empty->name));
	return empty;
}

void memory_ring_push(struct memory_ring *r, const struct memory_sample *s, uint64_t life)
{
	struct memory_row *row = &r->row[r->next % r->length];
	*row = (struct memory_row){.uptime_ms = s->uptime_ms,
		.wall_s = s->wall_s,
		.queries = s->queries,
		.life = life};
	memset(row->value, 0xff, sizeof(row->value));
	r->refused += s->refused;
	for (unsigned i = 0; i < s->count; i++) {
		struct memory_series *m = series_find(r, &s->item[i], i);
		if (!m) {
			r->refused++;
			continue;
		}
		m->last = r->next;
		m->cap = s->item[i].cap;
		row->value[m - r->series] = s->item[i].value;
	}
	r->next++;
}

void memory_ring_begin(struct memory_ring *r, const char *names)
{
	for (unsigned i = 0; i < MEMORY_SERIES_MAX; i++)
		if (strncmp(r->series[i].name, names, strlen(names)) == 0)
			r->series[i].since = r->next;
}

const struct memory_row *memory_ring_row(const struct memory_ring *r, unsigned back)
{
	if (back >= r->length || back >= r->next)
		return NULL;
	return &r->row[(r->next - 1 - back) % r->length];
}

unsigned memory_ring_span(const struct memory_ring *r, uint64_t span_ms)
{
	const struct memory_row *newest = memory_ring_row(r, 0), *after = newest, *row;
	unsigned n = 0;
	// Another life has that number after a file whose lives were damaged: time jumps ahead.
	while ((row = memory_ring_row(r, n)) && row->life == newest->life
		&& row->uptime_ms <= after->uptime_ms
		&& newest->uptime_ms - row->uptime_ms <= span_ms) {
		after = row;
		n++;
	}
	return n;
}

void memory_ring_trend(const struct memory_ring *r, unsigned i, unsigned count, struct trend *out)
{
	double x[TREND_ROWS_MAX], y[TREND_ROWS_MAX];
	unsigned n = 0;
	for (unsigned back = count; back-- > 0 && n < TREND_ROWS_MAX;) {
		const struct memory_row *row = memory_ring_row(r, back);
		uint64_t number = r->next - 1 - back;
		if (!row || row->value[i] == MEMORY_ABSENT || number < r->series[i].since)
			continue;
		x[n] = (double)row->uptime_ms / 1000;
		y[n++] = (double)row->value[i];
	}
	trend_fit(x, y, n, out);
}

double memory_ring_query_rate(const struct memory_ring *r, unsigned count)
{
	const struct memory_row *newest = memory_ring_row(r, 0);
	const struct memory_row *oldest = count ? memory_ring_row(r, count - 1) : NULL;
	if (!oldest || newest->uptime_ms <= oldest->uptime_ms || newest->queries < oldest->queries)
		return 0;
	return (double)(newest->queries - oldest->queries) * 1000
	       / (double)(newest->uptime_ms - oldest->uptime_ms);
}

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
