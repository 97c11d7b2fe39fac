// SPDX-License-Identifier: BSD-3-Clause
#include "kept_query.h"

#include <string.h>
#include <weir/heap_site.h>

static uint8_t *copy_of(
	struct kept_queries *k, const void *msg, uint16_t len, unsigned most, size_t most_bytes)
{
	const bool fits = k->count < most && k->bytes + len <= most_bytes;
	uint8_t *copy = fits ? heap_malloc(len) : NULL;
	if (!copy) {
		k->refused++;
		return NULL;
	}
	memcpy(copy, msg, len);
	k->bytes += len;
	k->memory += heap_size(copy);
	if (++k->count > k->count_most)
		k->count_most = k->count;
	return copy;
}

uint8_t *kept_query_new(struct kept_queries *k, const uint8_t *msg, uint16_t len)
{
	return k->is_on && msg ? copy_of(k, msg, len, KEPT_QUERIES_MAX - KEPT_QUERIES_MAX / 4,
		       KEPT_QUERIES_BYTES - KEPT_QUERIES_BYTES / 4)
			       : NULL;
}

uint8_t *kept_query_copy(struct kept_queries *k, const void *msg, uint16_t len)
{
	return copy_of(k, msg, len, KEPT_QUERIES_MAX, KEPT_QUERIES_BYTES);
}

void kept_query_end(struct kept_queries *k, const uint8_t *msg, uint16_t len)
{
	if (!msg)
		return;
	k->bytes -= len;
	k->memory -= heap_size((void *)(uintptr_t)msg);
	k->count--;
	heap_free((void *)(uintptr_t)msg);
}

void kept_queries_table(
	const struct kept_queries *k, struct table_info t, struct table_registry *tables)
{
	t.eviction = "refuse: dnstap lacks the message; the block's own reply";
	t.lifetime = "wait of its client";
	t.kind = TABLE_WORK;
	t.stay_ms = 5000;
	t.cap = KEPT_QUERIES_MAX;
	t.used = k->count;
	t.bytes = k->memory;
	t.high = k->count_most;
	t.refused = k->refused;
	t.has = TABLE_AGES | TABLE_REFUSES;
	table_register(tables, &t);
}
