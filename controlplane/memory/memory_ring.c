// SPDX-License-Identifier: BSD-3-Clause
#include "memory_ring.h"

#include <errno.h>
#include <string.h>
#include <weir/heap_site.h>

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
