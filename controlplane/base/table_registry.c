// SPDX-License-Identifier: BSD-3-Clause
#include "table_registry.h"

#include <assert.h>
#include <string.h>

const char *const table_kind_texts[TABLE_KINDS] = {[TABLE_NO_KIND] = "",
	[TABLE_CACHE] = "cache",
	[TABLE_WORK] = "work",
	[TABLE_FIXED] = "fixed"};

// Whether the table has a kind, without which it could not be checked, and the property of each
// count, without which the count would not be shown.
[[maybe_unused]] static bool is_whole(const struct table_info *t)
{
	return t->kind != TABLE_NO_KIND && (!t->oldest_ms || t->has & TABLE_AGES)
	       && (!t->evicted || t->has & TABLE_EVICTS) && (!t->refused || t->has & TABLE_REFUSES)
	       && (!(t->grown || t->shrunk) || t->has & TABLE_GROWS);
}

void table_register(struct table_registry *r, const struct table_info *t)
{
	assert(is_whole(t));
	if (r->count < TABLES_MAX)
		r->table[r->count++] = *t;
	else
		r->dropped++;
}

static uint64_t most_of(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

// The high water of two tables together. They may have had it at different times: together they can
// not have had more than their cap, unless one alone had more under an earlier cap.
static uint64_t high_sum(uint64_t cap, uint64_t a, uint64_t b)
{
	return cap && a + b > cap ? most_of(cap, most_of(a, b)) : a + b;
}

static void table_sum(struct table_info *sum, const struct table_info *one)
{
	sum->descriptors += one->descriptors;
	sum->files += one->files;
	sum->cap += one->cap;
	sum->used += one->used;
	sum->bytes += one->bytes;
	sum->shared += one->shared;
	sum->high = high_sum(sum->cap, sum->high, one->high);
	sum->evicted += one->evicted;
	sum->refused += one->refused;
	sum->oldest_ms = most_of(sum->oldest_ms, one->oldest_ms);
	sum->grown += one->grown;
	sum->shrunk += one->shrunk;
}

void tables_sum(struct table_registry *sum, const struct table_registry *one)
{
	for (unsigned i = 0; i < one->count; i++) {
		unsigned n = 0;
		while (n < sum->count && strcmp(sum->table[n].name, one->table[i].name) != 0)
			n++;
		if (n < sum->count)
			table_sum(&sum->table[n], &one->table[i]);
		else
			table_register(sum, &one->table[i]);
	}
	if (sum->dropped < one->dropped)
		sum->dropped = one->dropped;
}
