// SPDX-License-Identifier: BSD-3-Clause
#include "failures.h"

#include <errno.h>
#include <string.h>
#include <weir/dns_proto.h>
#include <weir/heap_site.h>

struct failure {
	uint64_t hash;
	uint64_t until_ms; // 0: free
	uint64_t span_ms;
	int ede; // why the answer was bogus; else DNS_EDE_NONE
};

struct failures {
	struct failures_spans spans;
	unsigned buckets;
	uint64_t evicted;
	unsigned entries;     // entries in use, expired ones included
	uint64_t all_over_ms; // from then on nothing is recent
	struct failure slot[][FAILURES_WAYS];
};

static size_t size_of(unsigned buckets)
{
	return sizeof(struct failures) + buckets * sizeof(struct failure[FAILURES_WAYS]);
}

int failures_new(struct failures **out, unsigned buckets, const struct failures_spans *spans)
{
	struct failures *f = heap_calloc(1, size_of(buckets));
	if (!f)
		return -ENOMEM;
	f->buckets = buckets;
	f->spans = *spans;
	*out = f;
	return 0;
}

void failures_configure(struct failures *f, const struct failures_spans *spans)
{
	f->spans = *spans;
}

void failures_free(struct failures *f)
{
	heap_free(f);
}

// The entry of the hash, or the entry that it would replace.
static struct failure *find_or_oldest(struct failures *f, uint64_t hash)
{
	struct failure *bucket = f->slot[hash % f->buckets];
	struct failure *oldest = &bucket[0];
	for (unsigned i = 0; i < FAILURES_WAYS; i++) {
		if (bucket[i].until_ms != 0 && bucket[i].hash == hash)
			return &bucket[i];
		if (bucket[i].until_ms < oldest->until_ms)
			oldest = &bucket[i];
	}
	return oldest;
}

static struct failure *entry_add(struct failures *f, uint64_t hash, uint64_t now_ms)
{
	struct failure *e = find_or_oldest(f, hash);
	uint64_t span = f->spans.first_ms;

	if (e->until_ms != 0 && e->hash == hash && now_ms < e->until_ms + f->spans.memory_ms) {
		span = e->span_ms * 2;
		if (span > f->spans.longest_ms)
			span = f->spans.longest_ms;
	}
	f->entries += e->until_ms == 0;
	f->evicted += e->until_ms != 0 && e->hash != hash && now_ms < e->until_ms;
	*e = (struct failure){.hash = hash, .until_ms = now_ms + span, .span_ms = span};
	if (e->until_ms > f->all_over_ms)
		f->all_over_ms = e->until_ms;
	return e;
}

void failures_add(struct failures *f, uint64_t hash, uint64_t now_ms)
{
	entry_add(f, hash, now_ms)->ede = DNS_EDE_NONE;
}

void failures_add_bogus(struct failures *f, uint64_t hash, int ede, uint64_t now_ms)
{
	entry_add(f, hash, now_ms)->ede = ede;
}

int failures_bogus(const struct failures *f, uint64_t hash)
{
	const struct failure *e = find_or_oldest((struct failures *)(uintptr_t)f, hash);
	return e->hash == hash ? e->ede : DNS_EDE_NONE;
}

void failures_clear(struct failures *f, uint64_t hash)
{
	// While nothing fails, no miss touches the table.
	if (f->entries == 0)
		return;
	struct failure *e = find_or_oldest(f, hash);
	if (e->until_ms == 0 || e->hash != hash)
		return;
	*e = (struct failure){.until_ms = 0};
	f->entries--;
}

void failures_clear_all(struct failures *f)
{
	f->entries = 0;
	f->all_over_ms = 0;
	memset(f->slot, 0, size_of(f->buckets) - sizeof(*f));
}

bool failures_recent(const struct failures *f, uint64_t hash, uint64_t now_ms)
{
	if (now_ms >= f->all_over_ms)
		return false;
	const struct failure *e = find_or_oldest((struct failures *)(uintptr_t)f, hash);
	return e->hash == hash && now_ms < e->until_ms;
}

unsigned failures_used(const struct failures *f, uint64_t now_ms)
{
	unsigned n = 0;
	for (unsigned b = 0; b < f->buckets; b++)
		for (unsigned i = 0; i < FAILURES_WAYS; i++)
			n += now_ms < f->slot[b][i].until_ms;
	return n;
}

// When the oldest remembered failure began; 0: there is none.
static uint64_t failures_since(const struct failures *f, uint64_t now_ms)
{
	uint64_t since = 0;
	for (unsigned b = 0; now_ms < f->all_over_ms && b < f->buckets; b++) {
		for (unsigned i = 0; i < FAILURES_WAYS; i++) {
			const struct failure *e = &f->slot[b][i];
			uint64_t from = e->until_ms - e->span_ms;
			if (now_ms < e->until_ms && (!since || from < since))
				since = from;
		}
	}
	return since;
}

void failures_table(const struct failures *f, uint64_t now_ms, struct table_info *out)
{
	out->owner = "resolver loop";
	out->eviction = "evict the entry of the bucket that expires first";
	out->kind = TABLE_CACHE;
	out->cap = f->buckets * FAILURES_WAYS;
	out->used = failures_used(f, now_ms);
	out->bytes = size_of(f->buckets);
	out->evicted = f->evicted;
	out->oldest_ms = table_age(failures_since(f, now_ms), now_ms);
	out->has = TABLE_AGES | TABLE_EVICTS;
}
