// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The numbers of texts in a file of the query store: a cache of fixed size, by keyed 64-bit hash,
// in sets of two that evict the least recently used. An evicted text is written to the file once
// more under another number, so it costs bytes, never a wrong row. Two texts with the same hash
// would count as one; that cannot be provoked without the secret, and by chance it is one in 2^47
// for each lookup.

#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>
#include <weir/keyhash.h>

struct query_ids_entry {
	uint64_t hash;
	int64_t id; // 0: empty
};

struct query_ids {
	size_t sets; // a power of two
	struct query_ids_entry *entry;
	uint64_t used, evicted;
};

ATTR_MUST_CHECK int query_ids_open(struct query_ids *t, size_t entries); // a power of two. -ENOMEM
void query_ids_free(struct query_ids *t);
void query_ids_clear(struct query_ids *t);
int64_t query_ids_find(struct query_ids *t, uint64_t hash); // 0: not there
void query_ids_add(struct query_ids *t, uint64_t hash, int64_t id);
