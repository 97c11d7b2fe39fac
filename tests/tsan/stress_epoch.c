// SPDX-License-Identifier: BSD-3-Clause

// Two writers, two readers, as between the resolvers and the workers: each writer replaces records
// behind its part of an index and reuses the old ones as soon as the epoch, which both advance,
// lets it. Record contents are plain memory, so a reuse that comes too early is a torn record here
// and a data race under TSan.

#include "stress.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <weir/shm_epoch.h>

enum { WRITERS = 2, READERS = 2, SLOTS = 16, RECORDS = 64, WORDS = 8 }; // slots, records: of each

struct record {
	alignas(CACHE_LINE) uint64_t word[WORDS];
};

struct reader {
	struct epoch_reader epoch;
	struct world *world;
	uint64_t seed;
	_Atomic uint64_t reads;
};

// Retired records wait in a queue, oldest first, with the epoch that frees them.
struct retired {
	uint32_t record[RECORDS];
	uint64_t epoch[RECORDS];
	unsigned head, count;
};

struct writer {
	struct epoch_writer epoch;
	struct world *world;
	uint32_t first_slot, first_record;
	uint64_t rounds, operations; // at most, and of all writers and readers together; 0: any
	_Atomic uint64_t written;
	struct retired retired;
};

struct world {
	alignas(CACHE_LINE) _Atomic uint64_t epoch;
	struct {
		alignas(CACHE_LINE) _Atomic uint64_t value;
	} seen[READERS];
	_Atomic uint32_t slot[WRITERS * SLOTS]; // record number
	struct record record[WRITERS * RECORDS];
	_Atomic int stop;
	struct reader reader[READERS];
	struct writer writer[WRITERS];
};

static void read_some(struct reader *r)
{
	for (unsigned k = 0; k < 8; k++) {
		_Atomic uint32_t *slot =
			&r->world->slot[stress_random(&r->seed) % (WRITERS * SLOTS)];
		const struct record *rec =
			&r->world->record[atomic_load_explicit(slot, memory_order_acquire)];
		uint64_t first = rec->word[0];
		for (unsigned i = 1; i < WORDS; i++)
			CHECK(rec->word[i] == first + i);
	}
	atomic_fetch_add_explicit(&r->reads, 8, memory_order_relaxed);
}

static void *reader_main(void *arg)
{
	struct reader *r = arg;
	epoch_online(&r->epoch);
	while (!atomic_load_explicit(&r->world->stop, memory_order_relaxed)) {
		epoch_quiescent(&r->epoch);
		read_some(r);
		if (stress_random(&r->seed) % 64 == 0) {
			epoch_offline(&r->epoch);
			if (stress_random(&r->seed) % 16 == 0)
				sched_yield();
			epoch_online(&r->epoch);
			read_some(r);
		}
	}
	epoch_offline(&r->epoch);
	return NULL;
}

static void record_write(struct record *rec, uint64_t n)
{
	for (unsigned i = 0; i < WORDS; i++)
		rec->word[i] = n * WORDS + i;
}

static uint32_t reuse_oldest(struct writer *w)
{
	struct retired *q = &w->retired;
	uint64_t deadline = stress_now_ms() + STRESS_WAIT_MS;
	while (!epoch_passed(&w->epoch, q->epoch[q->head])) {
		CHECK(stress_now_ms() < deadline);
		sched_yield();
	}
	uint32_t record = q->record[q->head];
	q->head = (q->head + 1) % RECORDS;
	q->count--;
	return record;
}

static bool is_enough(const struct writer *own, uint64_t written)
{
	const struct world *w = own->world;
	uint64_t all = 0;
	if (!own->operations || written % 1024)
		return false;
	for (unsigned i = 0; i < READERS; i++)
		all += atomic_load_explicit(&w->reader[i].reads, memory_order_relaxed);
	for (unsigned i = 0; i < WRITERS; i++)
		all += atomic_load_explicit(&w->writer[i].written, memory_order_relaxed);
	return all >= own->operations;
}

// Writes `rounds`, or as many as make up the operations.
static void *writer_main(void *arg)
{
	struct writer *own = arg;
	struct world *w = own->world;
	struct retired *q = &own->retired;
	uint32_t fresh = SLOTS;
	uint64_t seed = 99 + own->first_slot;
	for (uint64_t n = SLOTS; n < own->rounds && !is_enough(own, n); n++) {
		uint32_t record = fresh < RECORDS ? own->first_record + fresh++ : reuse_oldest(own);
		record_write(&w->record[record], n);
		unsigned slot = own->first_slot + (unsigned)(stress_random(&seed) % SLOTS);
		unsigned at = (q->head + q->count++) % RECORDS;
		q->record[at] = atomic_load_explicit(&w->slot[slot], memory_order_relaxed);
		atomic_store_explicit(&w->slot[slot], record, memory_order_release);
		q->epoch[at] = epoch_advance(&own->epoch);
		atomic_store_explicit(&own->written, n + 1, memory_order_relaxed);
	}
	return NULL;
}

static void writer_open(struct world *w, unsigned i, int argc, char **argv)
{
	struct writer *own = &w->writer[i];
	*own = (struct writer){
		.epoch = {.epoch = &w->epoch},
		.world = w,
		.first_slot = i * SLOTS,
		.first_record = i * RECORDS,
		.rounds = stress_rounds(argc, argv) / WRITERS,
		.operations = stress_operations(argc, argv),
	};
	for (uint32_t k = 0; k < SLOTS; k++) {
		w->slot[own->first_slot + k] = own->first_record + k;
		record_write(&w->record[own->first_record + k], k);
	}
	for (unsigned k = 0; k < READERS; k++)
		own->epoch.seen[k] = &w->seen[k].value;
}

int main(int argc, char **argv)
{
	static struct world w = {.epoch = 1};
	pthread_t thread[READERS], writing[WRITERS];
	for (unsigned i = 0; i < WRITERS; i++)
		writer_open(&w, i, argc, argv);
	for (unsigned i = 0; i < READERS; i++) {
		w.seen[i].value = EPOCH_OFFLINE;
		w.reader[i] = (struct reader){
			.epoch = {.epoch = &w.epoch, .seen = &w.seen[i].value},
			.world = &w,
			.seed = i + 1,
		};
		CHECK(pthread_create(&thread[i], NULL, reader_main, &w.reader[i]) == 0);
	}
	uint64_t start = stress_now_ms();
	for (unsigned i = 0; i < WRITERS; i++)
		CHECK(pthread_create(&writing[i], NULL, writer_main, &w.writer[i]) == 0);
	for (unsigned i = 0; i < WRITERS; i++)
		CHECK(pthread_join(writing[i], NULL) == 0);
	uint64_t took_ms = stress_now_ms() - start;
	atomic_store(&w.stop, 1);
	for (unsigned i = 0; i < READERS; i++)
		CHECK(pthread_join(thread[i], NULL) == 0);
	printf("%llu and %llu records replaced, %llu and %llu read, in %llu ms\n",
		(unsigned long long)w.writer[0].written, (unsigned long long)w.writer[1].written,
		(unsigned long long)w.reader[0].reads, (unsigned long long)w.reader[1].reads,
		(unsigned long long)took_ms);
	return 0;
}
