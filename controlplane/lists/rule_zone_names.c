// SPDX-License-Identifier: BSD-3-Clause
#include "rule_zone_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/heap_site.h>

void rule_zone_names_free(struct rule_zone_names *z)
{
	FREE_AND_NULL(z->path);
	FREE_AND_NULL(z->wildcard);
	*z = (struct rule_zone_names){0};
}

size_t rule_zone_names_bytes(const struct rule_zone_names *z)
{
	return (z->room + z->wildcard_room) * sizeof(uint64_t);
}

static bool make_room(uint64_t **at, size_t count, size_t *room)
{
	if (count <= *room)
		return true;
	size_t more = count + count / 2 + 1024;
	uint64_t *grown = heap_realloc(*at, more * sizeof(*grown));
	if (!grown)
		return false;
	*at = grown;
	*room = more;
	return true;
}

int rule_zone_names_add(struct rule_zone_names *z, const struct keyhash_secret *secret,
	const struct dns_name *name, bool below)
{
	if (!make_room(&z->path, z->count + name->labels + 1, &z->room)
		|| !make_room(&z->wildcard, z->wildcards + 1, &z->wildcard_room))
		return -ENOMEM;
	struct dns_name up = *name;
	z->path[z->count++] = name->labels;
	for (; up.labels > 0; up = rule_suffix(&up, up.labels - 1U))
		z->path[z->count++] = rule_name_hash(secret, &up);
	if (below)
		z->wildcard[z->wildcards++] = z->path[z->count - name->labels];
	return 0;
}

static int by_value(const void *x, const void *y)
{
	const uint64_t *a = x, *b = y;
	return (*a > *b) - (*a < *b);
}

static bool has_wildcard(const struct rule_zone_names *z, uint64_t fingerprint)
{
	return bsearch(&fingerprint, z->wildcard, z->wildcards, sizeof(*z->wildcard), by_value);
}

int rule_zone_names_end(struct rule_zone_names *z,
	int (*take)(void *arg, uint64_t fingerprint, unsigned labels), void *arg)
{
	int err = 0;
	if (z->wildcards)
		qsort(z->wildcard, z->wildcards, sizeof(*z->wildcard), by_value);
	for (size_t at = 0, labels; z->wildcards && at < z->count && !err; at += labels + 1) {
		labels = (size_t)z->path[at];
		// From the top down to the farthest wildcard; all below it exist.
		size_t up = labels - 1;
		while (up > 0 && !has_wildcard(z, z->path[at + 1 + up]))
			up--;
		for (size_t i = 0; i < up && !err; i++)
			err = take(arg, z->path[at + 1 + i], (unsigned)(labels - i));
	}
	rule_zone_names_free(z);
	return err;
}
