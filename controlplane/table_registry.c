// SPDX-License-Identifier: BSD-3-Clause
#include "table_registry.h"

#include <assert.h>

void table_register(struct table_registry *r, const struct table_info *t)
{
	assert(r->count < TABLES_MAX);
	if (r->count < TABLES_MAX)
		r->table[r->count++] = *t;
}
