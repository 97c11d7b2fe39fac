// SPDX-License-Identifier: BSD-3-Clause
#include "bound_log.h"

#include <stdio.h>
#include <string.h>

static void roll(struct bound_log *l, uint64_t now_ms)
{
	if (l->now.since_ms && now_ms < l->now.since_ms + BOUND_LOG_SPAN_MS)
		return;
	if (now_ms < l->now.since_ms + 2 * BOUND_LOG_SPAN_MS)
		l->before = l->now;
	else
		l->before.used = 0;
	l->now.used = 0;
	l->now.since_ms = now_ms;
}

static bool is_same(const struct bound_met *m, unsigned bound, const char *who)
{
	return m->bound == bound && strncmp(m->who, who, sizeof(m->who) - 1) == 0;
}

static struct bound_met *find(struct bound_met *met, unsigned count, const struct bound_met *of)
{
	for (unsigned i = 0; i < count; i++)
		if (is_same(&met[i], of->bound, of->who))
			return &met[i];
	return NULL;
}

static struct bound_met *place(struct bound_log *l)
{
	struct bound_window *w = &l->now;
	struct bound_met *least = &w->met[0];

	if (w->used < BOUND_LOG_CAP) {
		w->met[w->used].count = 0;
		return &w->met[w->used++];
	}
	for (unsigned i = 1; i < BOUND_LOG_CAP; i++)
		if (w->met[i].count < least->count)
			least = &w->met[i];
	l->evicted++;
	return least;
}

void bound_log_add(struct bound_log *l, enum bound bound, const char *who, uint64_t now_ms)
{
	struct bound_met met = {.bound = (uint8_t)bound};

	snprintf(met.who, sizeof(met.who), "%s", who);
	roll(l, now_ms);
	struct bound_met *m = find(l->now.met, l->now.used, &met);
	if (!m) {
		m = place(l);
		met.count = m->count;
		*m = met;
	}
	m->count++;
}

void bound_top_add(struct bound_top *top, const struct bound_met *met)
{
	struct bound_met one = *met;
	struct bound_met *same = find(top->met, top->count, met);
	unsigned at = same ? (unsigned)(same - top->met) : top->count;

	if (same)
		one.count += same->count;
	else if (top->count < BOUND_TOP_MAX)
		top->count++;
	else if (top->met[--at].count >= one.count)
		return;
	for (; at > 0 && top->met[at - 1].count < one.count; at--)
		top->met[at] = top->met[at - 1];
	top->met[at] = one;
}

void bound_log_top(struct bound_log *l, uint64_t now_ms, struct bound_top *out)
{
	roll(l, now_ms);
	out->count = 0;
	for (unsigned i = 0; i < l->now.used; i++) {
		struct bound_met met = l->now.met[i];
		const struct bound_met *before = find(l->before.met, l->before.used, &met);
		met.count += before ? before->count : 0;
		bound_top_add(out, &met);
	}
	for (unsigned i = 0; i < l->before.used; i++)
		if (!find(l->now.met, l->now.used, &l->before.met[i]))
			bound_top_add(out, &l->before.met[i]);
}

void bound_log_table(const struct bound_log *l, uint64_t now_ms, struct table_registry *tables)
{
	const struct bound_window *oldest = l->before.used ? &l->before : &l->now;

	table_register(tables, &(struct table_info){.name = "inflight_bounds",
				       .owner = "resolver loop",
				       .eviction = "evict the one that met a bound least",
				       .lifetime = "10 min",
				       .kind = TABLE_CACHE,
				       .cap = 2 * BOUND_LOG_CAP,
				       .used = l->now.used + l->before.used,
				       .bytes = sizeof(*l),
				       .evicted = l->evicted,
				       .oldest_ms = l->now.used + l->before.used
							    ? table_age(oldest->since_ms, now_ms)
							    : 0,
				       .has = TABLE_AGES | TABLE_EVICTS});
}
