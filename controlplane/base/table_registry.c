// SPDX-License-Identifier: BSD-3-Clause
#include "table_registry.h"

#include <assert.h>

const char *const table_kind_texts[TABLE_KINDS] = {[TABLE_NO_KIND] = "",
	[TABLE_CACHE] = "cache",
	[TABLE_WORK] = "work",
	[TABLE_FIXED] = "fixed"};

// A table without a kind could not be checked, and a count without its notion would
// never be shown.
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
