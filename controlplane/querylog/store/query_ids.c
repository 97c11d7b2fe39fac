// SPDX-License-Identifier: BSD-3-Clause

#include "query_ids.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int query_ids_open(struct query_ids *t, size_t entries)
{
	struct query_ids_entry *entry = calloc(entries, sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	*t = (struct query_ids){.sets = entries / 2, .entry = entry};
	return 0;
}

void query_ids_free(struct query_ids *t)
{
	free(t->entry);
	*t = (struct query_ids){0};
}

void query_ids_clear(struct query_ids *t)
{
	memset(t->entry, 0, 2 * t->sets * sizeof(*t->entry));
	t->used = 0;
}

static struct query_ids_entry *set_of(const struct query_ids *t, uint64_t hash)
{
	return &t->entry[2 * (hash & (t->sets - 1))];
}

int64_t query_ids_find(struct query_ids *t, uint64_t hash)
{
	struct query_ids_entry *set = set_of(t, hash);
	if (set[0].hash == hash)
		return set[0].id;
	if (set[1].hash != hash)
		return 0;
	struct query_ids_entry found = set[1];
	set[1] = set[0];
	set[0] = found;
	return found.id;
}

void query_ids_add(struct query_ids *t, uint64_t hash, int64_t id)
{
	struct query_ids_entry *set = set_of(t, hash);
	*(set[1].id ? &t->evicted : &t->used) += 1;
	set[1] = set[0];
	set[0] = (struct query_ids_entry){.hash = hash, .id = id};
}
