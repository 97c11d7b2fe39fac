// SPDX-License-Identifier: BSD-3-Clause
#include "rewrite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/heap_site.h>

struct entry {
	struct dns_name name;
	bool wildcard;
	const uint8_t *target; // the target of its CNAME; NULL: it has other records
	uint16_t target_len;
	uint32_t ttl_s;
};

struct rewrite_table {
	unsigned count;
	struct entry *entry; // sorted by name, wildcards last
	uint8_t *targets;
};

static int entry_order(const struct entry *e, bool wildcard, const uint8_t *wire, size_t len)
{
	if (e->wildcard != wildcard)
		return e->wildcard ? 1 : -1;
	return dns_name_order(e->name.wire, e->name.len, wire, len);
}

static int by_name(const void *a, const void *b)
{
	const struct entry *y = b;
	return entry_order(a, y->wildcard, y->name.wire, y->name.len);
}

static void entries_fill(
	struct rewrite_table *t, const struct config_record *records, unsigned count)
{
	uint8_t *at = t->targets;
	for (unsigned i = 0; i < count; i++) {
		const struct config_record *r = &records[i];
		struct entry *e = &t->entry[t->count++];
		*e = (struct entry){.name = r->name, .wildcard = r->wildcard, .ttl_s = r->ttl_s};
		if (r->type != DNS_TYPE_CNAME)
			continue;
		e->target = memcpy(at, r->rdata, r->rdata_len);
		e->target_len = r->rdata_len;
		at += r->rdata_len;
	}
	qsort(t->entry, t->count, sizeof(*t->entry), by_name);
}

int rewrite_table_new(
	const struct config_record *records, unsigned count, struct rewrite_table **out)
{
	size_t bytes = 0;
	for (unsigned i = 0; i < count; i++)
		bytes += records[i].type == DNS_TYPE_CNAME ? records[i].rdata_len : 0;
	if (bytes == 0) {
		*out = NULL;
		return 0;
	}
	struct rewrite_table *t = heap_calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->entry = heap_calloc(count, sizeof(*t->entry));
	t->targets = heap_malloc(bytes);
	if (!t->entry || !t->targets) {
		rewrite_table_free(t);
		return -ENOMEM;
	}
	entries_fill(t, records, count);
	*out = t;
	return 0;
}

void rewrite_table_free(struct rewrite_table *t)
{
	if (!t)
		return;
	FREE_AND_NULL(t->entry);
	FREE_AND_NULL(t->targets);
	heap_free(t);
}

static const struct entry *entry_find(
	const struct rewrite_table *t, bool wildcard, const uint8_t *wire, size_t len)
{
	unsigned low = 0, high = t->count;
	while (low < high) {
		unsigned mid = low + (high - low) / 2;
		int order = entry_order(&t->entry[mid], wildcard, wire, len);
		if (order == 0)
			return &t->entry[mid];
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

// The entry of the name itself, else of the nearest wildcard above it.
static const struct entry *entry_covering(
	const struct rewrite_table *t, const struct dns_name *name)
{
	const uint8_t *wire = name->wire;
	size_t len = name->len;
	if (!t)
		return NULL;
	const struct entry *found = entry_find(t, false, wire, len);
	while (!found && wire[0] != 0) {
		len -= wire[0] + (size_t)1;
		wire += wire[0] + 1;
		found = entry_find(t, true, wire, len);
	}
	return found;
}

int rewrite_add(struct rewrite *r, const uint8_t *target, size_t target_len, uint32_t ttl_s)
{
	struct rd rd = rd_init(target, target_len);
	if (r->count == CONFIG_ALIASES_MAX)
		return -ELOOP;
	struct dns_alias *a = &r->alias[r->count];
	if (dns_name_read(&rd, &a->target) < 0)
		return -ELOOP;
	memcpy(a->spelling, target, a->target.len);
	a->ttl_s = ttl_s;
	r->count++;
	return 0;
}

int rewrite_follow(const struct rewrite_table *own, const struct rewrite_table *everyone,
	const struct dns_name *name, struct rewrite *out)
{
	out->count = 0;
	for (;;) {
		const struct entry *e = entry_covering(own, name);
		if (!e)
			e = entry_covering(everyone, name);
		if (!e || !e->target)
			return 0;
		int rc = rewrite_add(out, e->target, e->target_len, e->ttl_s);
		if (rc < 0)
			return rc;
		name = &out->alias[out->count - 1].target;
	}
}
