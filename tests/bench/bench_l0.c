// SPDX-License-Identifier: BSD-3-Clause

// Cost of a lookup in L0, in TSC cycles: hash, index, record, key compare, and the ends of the
// answer. Names are drawn evenly, the keys of a batch lie ready, as after parsing. Three ways:
// 32 at a time in the worker's steps, one at a time, and 32 at a time for names that are not
// there. Medians of many batches, so that what else runs on the machine counts little.

#include "tests/unit/core/l0/l0_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <weir/clock.h>
#include <x86intrin.h>

enum { BATCH = 32, BATCHES = 1 << 16 };

struct bench {
	struct box box;
	uint32_t entries;
	struct l0_key key[BATCH];
	struct box_name name[BATCH];
	uint64_t sum, hits, anomalies;
};

static void draw(struct bench *b, uint64_t *seed, uint32_t from)
{
	for (unsigned i = 0; i < BATCH; i++) {
		uint32_t id = from + rnd_below(seed, b->entries);
		b->key[i] = (struct l0_key){.name = b->name[i].wire, .qtype = 1, .qclass = 1};
		b->key[i].name_len = box_name_of(id, &b->name[i]);
	}
}

ATTR_INLINE void use(struct bench *b, const struct l0_reader *r, uint32_t number)
{
	struct l0_view v;
	if (number == L0_NONE || !l0_record_read(r, number, &v))
		return;
	b->sum += v.answer.bytes[0] + v.answer.bytes[v.answer.len - 1];
	b->hits++;
}

static void lookup_batch(struct bench *b, const struct l0_reader *r)
{
	uint32_t record[BATCH];
	for (unsigned i = 0; i < BATCH; i++) {
		l0_key_hash(r, &b->key[i]);
		l0_prefetch_bucket(r, b->key[i].hash);
	}
	for (unsigned i = 0; i < BATCH; i++)
		record[i] = l0_candidate(r, b->key[i].hash);
	for (unsigned i = 0; i < BATCH; i++)
		record[i] = l0_find(r, &b->key[i], record[i], &b->anomalies);
	for (unsigned i = 0; i < BATCH; i++)
		use(b, r, record[i]);
}

// Each lookup ends before the next begins, as when packets come alone.
static void lookup_singly(struct bench *b, const struct l0_reader *r)
{
	for (unsigned i = 0; i < BATCH; i++) {
		l0_key_hash(r, &b->key[i]);
		uint32_t candidate = l0_candidate(r, b->key[i].hash);
		use(b, r, l0_find(r, &b->key[i], candidate, &b->anomalies));
		_mm_lfence();
	}
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

// The median batch, divided by its size.
static double cycles(struct bench *b, uint32_t from,
	void (*lookup)(struct bench *, const struct l0_reader *), double *hit_share)
{
	static uint32_t took[BATCHES];
	const struct l0_reader *r = l0_writer_reader(b->box.w);
	uint64_t seed = 9;
	b->hits = 0;
	for (unsigned n = 0; n < BATCHES; n++) {
		draw(b, &seed, from);
		uint64_t start = __rdtsc();
		lookup(b, r);
		took[n] = (uint32_t)(__rdtsc() - start);
	}
	qsort(took, BATCHES, sizeof(took[0]), by_value);
	*hit_share = (double)b->hits / (BATCHES * BATCH);
	return took[BATCHES / 2] / (double)BATCH;
}

static int bench_size(uint32_t entries, uint16_t answer, unsigned units)
{
	static struct bench b;
	memset(&b, 0, sizeof(b));
	b.entries = entries;
	// Its units, the index, the reserve of 1/32 and some air: nothing is evicted for space.
	uint64_t bytes = (uint64_t)entries * (units * 68 + 10);
	if (!box_open(&b.box, bytes + (2 << 20), units))
		return 1;
	uint64_t start = clock_mono_us();
	for (uint32_t id = 0; id < entries; id++)
		(void)box_put(&b.box, id, 1, answer, 0, 1 << 30);
	uint64_t put_us = clock_mono_us() - start;
	struct l0_writer_stats s;
	l0_writer_stats(b.box.w, &s);
	double shares[3];
	double batch = cycles(&b, 0, lookup_batch, &shares[0]);
	double singly = cycles(&b, 0, lookup_singly, &shares[1]);
	double absent = cycles(&b, 1u << 30, lookup_batch, &shares[2]);
	printf("%8u entries of %u bytes of answer: cycles a lookup: batch %5.0f, singly %5.0f, "
	       "absent %5.0f; "
	       "hits %.4f; put %.2f us\n",
		entries, answer, batch, singly, absent, shares[0], (double)put_us / entries);
	printf("         index load %.2f, evicted by full buckets %.4f %%; bytes an entry: "
	       "index %.1f, record %.1f, private %.1f\n",
		(double)s.entries / (double)s.index_slots,
		100.0 * (double)s.evicted_bucket / entries,
		64.0 * (double)s.index_slots / L0_BUCKET_SLOTS / (double)s.entries,
		64.0 * (double)s.units_used / (double)s.entries,
		(double)l0_writer_memory(b.box.w) / (double)s.entries);
	int bad = b.anomalies != 0 || shares[2] != 0 || b.sum == 0;
	box_close(&b.box);
	return bad;
}

int main(void)
{
	// The answer sections of one A record and of four.
	return bench_size(1000, 16, 2) | bench_size(100000, 16, 2) | bench_size(1000000, 16, 2)
	       | bench_size(1000, 64, 3) | bench_size(100000, 64, 3) | bench_size(1000000, 64, 3);
}
