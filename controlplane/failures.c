// SPDX-License-Identifier: BSD-3-Clause
#include "failures.h"

#include <errno.h>
#include <stdlib.h>

struct failure {
	uint64_t hash;
	uint64_t until_ms; // 0: free
	uint64_t span_ms;
};

struct failures {
	struct failure slot[FAILURES_BUCKETS][FAILURES_WAYS];
};

int failures_new(struct failures **out)
{
	struct failures *f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	*out = f;
	return 0;
}

void failures_free(struct failures *f)
{
	free(f);
}

static const struct failure *find(const struct failures *f, uint64_t hash)
{
	const struct failure *bucket = f->slot[hash % FAILURES_BUCKETS];
	for (unsigned i = 0; i < FAILURES_WAYS; i++)
		if (bucket[i].until_ms != 0 && bucket[i].hash == hash)
			return &bucket[i];
	return NULL;
}

static struct failure *find_or_oldest(struct failures *f, uint64_t hash)
{
	struct failure *bucket = f->slot[hash % FAILURES_BUCKETS];
	struct failure *oldest = &bucket[0];
	for (unsigned i = 0; i < FAILURES_WAYS; i++) {
		if (bucket[i].until_ms != 0 && bucket[i].hash == hash)
			return &bucket[i];
		if (bucket[i].until_ms < oldest->until_ms)
			oldest = &bucket[i];
	}
	return oldest;
}

void failures_add(struct failures *f, uint64_t hash, uint64_t now_ms)
{
	struct failure *e = find_or_oldest(f, hash);
	uint64_t span = FAILURE_FIRST_MS;

	if (e->until_ms != 0 && e->hash == hash && now_ms < e->until_ms + FAILURE_MEMORY_MS) {
		span = e->span_ms * 2;
		if (span > FAILURE_LONGEST_MS)
			span = FAILURE_LONGEST_MS;
	}
	*e = (struct failure){.hash = hash, .until_ms = now_ms + span, .span_ms = span};
}

void failures_clear(struct failures *f, uint64_t hash)
{
	struct failure *e = find_or_oldest(f, hash);
	if (e->hash == hash)
		*e = (struct failure){.until_ms = 0};
}

void failures_clear_all(struct failures *f)
{
	*f = (struct failures){0};
}

bool failures_recent(const struct failures *f, uint64_t hash, uint64_t now_ms)
{
	const struct failure *e = find(f, hash);
	return e && now_ms < e->until_ms;
}

unsigned failures_used(const struct failures *f, uint64_t now_ms)
{
	unsigned n = 0;
	for (unsigned b = 0; b < FAILURES_BUCKETS; b++)
		for (unsigned i = 0; i < FAILURES_WAYS; i++)
			n += now_ms < f->slot[b][i].until_ms;
	return n;
}

size_t failures_memory(void)
{
	return sizeof(struct failures);
}
