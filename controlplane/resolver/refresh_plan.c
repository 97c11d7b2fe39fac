// SPDX-License-Identifier: BSD-3-Clause
#include "refresh_plan.h"

#include <errno.h>
#include <string.h>
#include <weir/heap_site.h>

int refresh_plan_init(struct refresh_plan *p, uint32_t cap)
{
	*p = (struct refresh_plan){
		.entry = heap_calloc(cap, sizeof(*p->entry)), .limit = cap, .cap = cap};
	return p->entry ? 0 : -ENOMEM;
}

void refresh_plan_destroy(struct refresh_plan *p)
{
	FREE_AND_NULL(p->entry);
	*p = (struct refresh_plan){0};
}

// Later ones first; the record's number makes the order total, so that a twin lies beside.
static bool before(const struct refresh_planned *a, const struct refresh_planned *b)
{
	return a->due_ms != b->due_ms ? a->due_ms > b->due_ms : a->record > b->record;
}

static uint32_t place_of(const struct refresh_plan *p, const struct refresh_planned *e)
{
	uint32_t low = 0, high = p->used;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		if (before(&p->entry[mid], e))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

bool refresh_plan_put(struct refresh_plan *p, const struct refresh_planned *e)
{
	uint32_t at = place_of(p, e);

	if (at < p->used && p->entry[at].due_ms == e->due_ms && p->entry[at].record == e->record)
		return true;
	if (p->used < p->limit) {
		memmove(p->entry + at + 1, p->entry + at, (p->used - at) * sizeof(*e));
		p->entry[at] = *e;
		if (++p->used > p->most)
			p->most = p->used;
		return true;
	}
	p->dropped++;
	if (at > 0) {
		memmove(p->entry, p->entry + 1, (at - 1) * sizeof(*e));
		p->entry[at - 1] = *e;
	}
	return false;
}

bool refresh_plan_take(struct refresh_plan *p, uint64_t now_ms, struct refresh_planned *out)
{
	if (p->used == 0 || p->entry[p->used - 1].due_ms > now_ms)
		return false;
	*out = p->entry[--p->used];
	return true;
}

void refresh_plan_limit(struct refresh_plan *p, uint32_t limit)
{
	p->limit = limit < p->cap ? limit : p->cap;
	if (p->used <= p->limit)
		return;
	memmove(p->entry, p->entry + (p->used - p->limit), p->limit * sizeof(*p->entry));
	p->used = p->limit;
}
