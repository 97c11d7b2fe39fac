// SPDX-License-Identifier: BSD-3-Clause
#include "validator_bogus.h"

#include <string.h>
#include <weir/heap_site.h>

enum { ENTRIES = BOGUS_NAMES_BUCKETS * BOGUS_NAMES_WAYS };

struct bogus_key {
	uint64_t hash;
	uint64_t at_ms; // 0: free
};

struct bogus_name {
	uint16_t qtype, view;
	int ede;
	struct dns_name name;
	char why[VALIDATOR_WHY_MAX];
};

// A bucket of keys is one cache line, as each answer looks for its question.
struct bogus_table {
	struct bogus_key key[ENTRIES];
	struct bogus_name name[ENTRIES];
};

void bogus_names_free(struct bogus_names *b)
{
	FREE_AND_NULL(b->table);
}

static bool is_kept(const struct bogus_key *k, uint64_t now_ms)
{
	return k->at_ms && now_ms < k->at_ms + BOGUS_NAME_MS;
}

// The place of the question, or the one that it would take.
static unsigned find_or_oldest(const struct bogus_names *b, uint64_t hash)
{
	const unsigned first = hash % BOGUS_NAMES_BUCKETS * BOGUS_NAMES_WAYS;
	const struct bogus_key *key = b->table->key;
	unsigned oldest = first;
	for (unsigned i = first; i < first + BOGUS_NAMES_WAYS; i++) {
		if (key[i].at_ms && key[i].hash == hash)
			return i;
		if (key[i].at_ms < key[oldest].at_ms)
			oldest = i;
	}
	return oldest;
}

// It has bytes of names that others chose.
static void why_copy(char out[VALIDATOR_WHY_MAX], const char *why)
{
	size_t i = 0;
	for (; why[i] && i + 1 < VALIDATOR_WHY_MAX; i++)
		out[i] = why[i] >= ' ' && why[i] <= '~' ? why[i] : '?';
	out[i] = '\0';
}

void bogus_names_add(struct bogus_names *b, const struct bogus_question *q, int ede,
	const char *why, uint64_t now_ms)
{
	if (!b->table)
		b->table = heap_calloc(1, sizeof(*b->table));
	if (!b->table)
		return;
	const unsigned i = find_or_oldest(b, q->hash);
	struct bogus_key *k = &b->table->key[i];
	struct bogus_name *e = &b->table->name[i];
	b->evicted += is_kept(k, now_ms) && k->hash != q->hash;
	b->entries += k->at_ms == 0;
	if (b->entries > b->entries_most)
		b->entries_most = b->entries;
	*k = (struct bogus_key){.hash = q->hash, .at_ms = now_ms ? now_ms : 1};
	e->qtype = q->qtype;
	e->view = q->view;
	e->ede = ede;
	e->name = *q->name;
	why_copy(e->why, why);
}

void bogus_names_clear(struct bogus_names *b, uint64_t hash)
{
	if (b->entries == 0)
		return;
	struct bogus_key *k = &b->table->key[find_or_oldest(b, hash)];
	if (k->at_ms == 0 || k->hash != hash)
		return;
	k->at_ms = 0;
	b->entries--;
}

void bogus_names_clear_all(struct bogus_names *b)
{
	b->entries = 0;
	if (b->table)
		memset(b->table->key, 0, sizeof(b->table->key));
}

unsigned bogus_names_find(const struct bogus_names *b, const struct dns_name *name, uint16_t qtype,
	uint64_t now_ms, struct bogus_found *out, unsigned most)
{
	unsigned n = 0;
	for (unsigned i = 0; b->entries && i < ENTRIES && n < most; i++) {
		const struct bogus_key *k = &b->table->key[i];
		const struct bogus_name *e = &b->table->name[i];
		if (!is_kept(k, now_ms) || (qtype && e->qtype != qtype)
			|| !dns_name_equal(&e->name, name))
			continue;
		out[n] = (struct bogus_found){.qtype = e->qtype,
			.view = e->view,
			.ede = e->ede,
			.age_ms = now_ms > k->at_ms ? now_ms - k->at_ms : 0};
		memcpy(out[n++].why, e->why, sizeof(e->why));
	}
	return n;
}

void bogus_names_table(const struct bogus_names *b, uint64_t now_ms, struct table_registry *tables)
{
	uint64_t oldest_ms = 0, used = 0;
	for (unsigned i = 0; b->entries && i < ENTRIES; i++) {
		const struct bogus_key *k = &b->table->key[i];
		if (!is_kept(k, now_ms))
			continue;
		used++;
		if (!oldest_ms || k->at_ms < oldest_ms)
			oldest_ms = k->at_ms;
	}
	table_register(tables, &(struct table_info){.name = "bogus_names",
				       .owner = "resolver loop",
				       .eviction = "evict the oldest of the bucket",
				       .lifetime = "300 s, or until an answer is not bogus",
				       .kind = TABLE_CACHE,
				       .cap = ENTRIES,
				       .used = used,
				       .bytes = b->table ? sizeof(*b->table) : 0,
				       .high = b->entries_most,
				       .evicted = b->evicted,
				       .oldest_ms = table_age(oldest_ms, now_ms),
				       .has = TABLE_AGES | TABLE_EVICTS});
}
