// SPDX-License-Identifier: BSD-3-Clause
#include "table_registry.h"

#include <assert.h>

// A count without its notion would never be shown.
[[maybe_unused]] static bool is_whole(const struct table_info *t)
{
	return (!t->oldest_ms || t->has & TABLE_AGES) && (!t->evicted || t->has & TABLE_EVICTS)
	       && (!t->refused || t->has & TABLE_REFUSES)
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
