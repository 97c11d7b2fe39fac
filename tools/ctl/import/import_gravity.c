// SPDX-License-Identifier: BSD-3-Clause

#include "import_gravity.h"

#include <stdlib.h>
#include <string.h>

void import_gravity_free(struct gravity *g)
{
	for (unsigned t = 0; t < GRAVITY_TABLES; t++) {
		for (unsigned i = 0; i < g->table[t].count; i++) {
			free(g->table[t].row[i].text);
			free(g->table[t].row[i].note);
		}
		free(g->table[t].row);
	}
	*g = (struct gravity){0};
}

void import_gravity_row(struct gravity *g, enum gravity_table table, int64_t id, int type,
	bool enabled, const char *text, const char *note)
{
	struct gravity_rows *rows = &g->table[table];
	const unsigned max = table == GRAVITY_GROUPS ? GRAVITY_GROUPS_MAX : GRAVITY_ROWS_MAX;
	if (rows->count >= max) {
		g->beyond = true;
		return;
	}
	if (rows->count == rows->room) {
		const unsigned room = rows->room ? 2 * rows->room : 64;
		struct gravity_row *grown = reallocarray(rows->row, room, sizeof(*grown));
		if (!grown) {
			g->failed = true;
			return;
		}
		rows->row = grown;
		rows->room = room;
	}
	struct gravity_row *r = &rows->row[rows->count];
	*r = (struct gravity_row){.id = id, .type = type, .enabled = enabled};
	r->text = strdup(text ? text : "");
	r->note = note && *note ? strdup(note) : NULL;
	if (r->text)
		rows->count++;
	else
		g->failed = true;
}

static int by_id(const void *x, const void *y)
{
	const struct gravity_row *a = x, *b = y;
	return (a->id > b->id) - (a->id < b->id);
}

void import_gravity_sort(struct gravity *g)
{
	for (unsigned t = 0; t < GRAVITY_TABLES; t++)
		if (g->table[t].count)
			qsort(g->table[t].row, g->table[t].count, sizeof(*g->table[t].row), by_id);
}

static struct gravity_row *row_find(struct gravity *g, enum gravity_table table, int64_t id)
{
	const struct gravity_row key = {.id = id};
	const struct gravity_rows *rows = &g->table[table];
	return rows->count ? bsearch(&key, rows->row, rows->count, sizeof(key), by_id) : NULL;
}

void import_gravity_link(struct gravity *g, enum gravity_table table, int64_t id, int64_t group)
{
	struct gravity_row *row = row_find(g, table, id), *of = row_find(g, GRAVITY_GROUPS, group);
	if (!row || !of || !of->enabled)
		return;
	const size_t place = (size_t)(of - g->table[GRAVITY_GROUPS].row);
	row->groups.bits[place / 64] |= UINT64_C(1) << place % 64;
}
