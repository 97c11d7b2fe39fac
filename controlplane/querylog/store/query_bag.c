// SPDX-License-Identifier: BSD-3-Clause

#include "query_bag.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/heap_site.h>

int query_bag_open(struct query_bag *b, unsigned cap)
{
	*b = (struct query_bag){.cap = cap};
	b->item = heap_calloc(cap, sizeof(*b->item));
	b->slot = heap_calloc(2 * (size_t)cap, sizeof(*b->slot));
	int rc = b->item && b->slot ? keyhash_secret_make(&b->secret) : -ENOMEM;
	if (rc < 0)
		query_bag_close(b);
	return rc;
}

void query_bag_close(struct query_bag *b)
{
	for (unsigned i = 0; i < b->count; i++)
		FREE_AND_NULL(b->item[i].text);
	FREE_AND_NULL(b->item);
	FREE_AND_NULL(b->slot);
	*b = (struct query_bag){0};
}

// The slot of the text, or the free slot for it.
static uint32_t *slot_of(const struct query_bag *b, const char *text, uint64_t hash)
{
	const uint64_t mask = 2 * (uint64_t)b->cap - 1;
	for (uint64_t at = hash & mask;; at = (at + 1) & mask) {
		const uint32_t number = b->slot[at];
		if (!number)
			return &b->slot[at];
		const struct query_bag_item *i = &b->item[number - 1];
		if (i->hash == hash && strcmp(i->text, text) == 0)
			return &b->slot[at];
	}
}

static void slots_fill(struct query_bag *b)
{
	memset(b->slot, 0, 2 * (size_t)b->cap * sizeof(*b->slot));
	for (unsigned i = 0; i < b->count; i++)
		*slot_of(b, b->item[i].text, b->item[i].hash) = i + 1;
}

static int in_order(const struct query_bag_item *a, const struct query_bag_item *b, uint64_t of_a,
	uint64_t of_b)
{
	return of_a < of_b ? 1 : of_a > of_b ? -1 : strcmp(a->text, b->text);
}

static int by_queries(const void *a, const void *b)
{
	const struct query_bag_item *x = a, *y = b;
	return in_order(x, y, x->tally.queries, y->tally.queries);
}

static int by_blocked(const void *a, const void *b)
{
	const struct query_bag_item *x = a, *y = b;
	return in_order(x, y, x->tally.blocked, y->tally.blocked);
}

static int by_missing(const void *a, const void *b)
{
	const struct query_bag_item *x = a, *y = b;
	return in_order(x, y, x->tally.missing, y->tally.missing);
}

uint64_t query_tally_count(const struct query_tally *t, enum query_bag_order of)
{
	return of == QUERY_BAG_BLOCKED   ? t->blocked
	       : of == QUERY_BAG_MISSING ? t->missing
					 : t->queries;
}

void query_bag_sort(struct query_bag *b, enum query_bag_order order)
{
	static int (*const by[])(const void *, const void *) = {
		[QUERY_BAG_QUERIES] = by_queries,
		[QUERY_BAG_BLOCKED] = by_blocked,
		[QUERY_BAG_MISSING] = by_missing,
	};
	qsort(b->item, b->count, sizeof(*b->item), by[order]);
	slots_fill(b);
}

static void halve(struct query_bag *b)
{
	qsort(b->item, b->count, sizeof(*b->item), by_queries);
	while (b->count > b->cap / 2) {
		struct query_bag_item *i = &b->item[--b->count];
		b->left_out += i->tally.queries;
		FREE_AND_NULL(i->text);
	}
	slots_fill(b);
}

void query_tally_add(struct query_tally *sum, const struct query_tally *t)
{
	sum->queries += t->queries;
	sum->blocked += t->blocked;
	sum->missing += t->missing;
	if (t->first_us && (!sum->first_us || t->first_us < sum->first_us))
		sum->first_us = t->first_us;
	if (t->last_us > sum->last_us)
		sum->last_us = t->last_us;
}

int query_bag_add(struct query_bag *b, const char *text, const struct query_tally *t)
{
	const uint64_t hash = keyhash(&b->secret, text, strlen(text));
	uint32_t *slot = slot_of(b, text, hash);
	if (!*slot && b->count == b->cap) {
		halve(b);
		slot = slot_of(b, text, hash);
	}
	if (!*slot) {
		char *copy = heap_strdup(text);
		if (!copy)
			return -ENOMEM;
		b->item[b->count++] = (struct query_bag_item){.text = copy, .hash = hash};
		*slot = b->count;
	}
	query_tally_add(&b->item[*slot - 1].tally, t);
	return 0;
}
