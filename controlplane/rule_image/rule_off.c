// SPDX-License-Identifier: BSD-3-Clause
#include "rule_off.h"

#include <errno.h>
#include <stdlib.h>
#include <weir/heap_site.h>
#include <weir/keyhash.h>

void rule_off_free(struct rule_off *o)
{
	FREE_AND_NULL(o->key);
	*o = (struct rule_off){0};
}

uint64_t rule_off_key(unsigned list, uint64_t hash, unsigned type, const void *text, size_t len)
{
	const uint64_t part[] = {
		(uint64_t)type << 32 | list, hash, len, len ? contenthash(text, len) : 0};
	return contenthash(part, sizeof(part));
}

int rule_off_add(struct rule_off *o, uint64_t key)
{
	if (o->count == RULE_OFF_MAX)
		return -ENOSPC;
	if (o->count == o->room) {
		const size_t room = o->room ? 2 * o->room : 64;
		uint64_t *grown = heap_realloc(o->key, room * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		o->key = grown;
		o->room = room;
	}
	o->key[o->count++] = key;
	return 0;
}

static int by_value(const void *x, const void *y)
{
	const uint64_t *a = x, *b = y;
	return (*a > *b) - (*a < *b);
}

void rule_off_sort(struct rule_off *o)
{
	if (o->count > 0)
		qsort(o->key, o->count, sizeof(*o->key), by_value);
}

bool rule_off_has(const struct rule_off *o, uint64_t key)
{
	return o->count > 0 && bsearch(&key, o->key, o->count, sizeof(*o->key), by_value);
}
