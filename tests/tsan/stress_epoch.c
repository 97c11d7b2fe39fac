// SPDX-License-Identifier: BSD-3-Clause

// One writer, two readers, as between the control plane and its workers: the writer replaces
// records behind an index and reuses the old ones as soon as the epoch lets it. Record contents are
// plain memory, so a reuse that comes too early is a torn record here and a data race under TSan.

#include "stress.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <weir/shm_epoch.h>

enum { READERS = 2, SLOTS = 16, RECORDS = 64, WORDS = 8 };

struct record {
	alignas(CACHE_LINE) uint64_t word[WORDS];
};

struct reader {
	struct epoch_reader epoch;
	struct world *world;
	uint64_t seed;
	_Atomic uint64_t reads;
};

struct world {
	alignas(CACHE_LINE) _Atomic uint64_t epoch;
	struct {
		alignas(CACHE_LINE) _Atomic uint64_t value;
	} seen[READERS];
	_Atomic uint32_t slot[SLOTS]; // record number
	struct record record[RECORDS];
	_Atomic int stop;
	struct reader reader[READERS];
};

static void read_some(struct reader *r)
{
	for (unsigned k = 0; k < 8; k++) {
		_Atomic uint32_t *slot = &r->world->slot[stress_random(&r->seed) % SLOTS];
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

// Retired records wait in a queue, oldest first, with the epoch that frees them.
struct retired {
	uint32_t record[RECORDS];
	uint64_t epoch[RECORDS];
	unsigned head, count;
};

static uint32_t reuse_oldest(struct retired *q, const struct epoch_writer *w)
{
	uint64_t deadline = stress_now_ms() + STRESS_WAIT_MS;
	while (!epoch_passed(w, q->epoch[q->head])) {
		CHECK(stress_now_ms() < deadline);
		sched_yield();
	}
	uint32_t record = q->record[q->head];
	q->head = (q->head + 1) % RECORDS;
	q->count--;
	return record;
}

static bool is_enough(const struct world *w, uint64_t written, uint64_t operations)
{
	if (!operations || written % 1024)
		return false;
	for (unsigned i = 0; i < READERS; i++)
		written += atomic_load_explicit(&w->reader[i].reads, memory_order_relaxed);
	return written >= operations;
}

// How many it wrote: `rounds`, or as many as make up the operations.
static uint64_t write_all(
	struct world *w, struct epoch_writer *writer, uint64_t rounds, uint64_t operations)
{
	static struct retired q;
	uint32_t fresh = SLOTS;
	uint64_t seed = 99;
	uint64_t n = SLOTS;
	for (; n < rounds && !is_enough(w, n, operations); n++) {
		uint32_t record = fresh < RECORDS ? fresh++ : reuse_oldest(&q, writer);
		record_write(&w->record[record], n);
		unsigned slot = (unsigned)(stress_random(&seed) % SLOTS);
		unsigned at = (q.head + q.count++) % RECORDS;
		q.record[at] = atomic_load_explicit(&w->slot[slot], memory_order_relaxed);
		atomic_store_explicit(&w->slot[slot], record, memory_order_release);
		q.epoch[at] = epoch_advance(writer);
	}
	return n;
}

int main(int argc, char **argv)
{
	static struct world w = {.epoch = 1};
	struct epoch_writer writer = {.epoch = &w.epoch};
	uint64_t rounds = stress_rounds(argc, argv);
	pthread_t thread[READERS];
	for (uint32_t i = 0; i < SLOTS; i++) {
		w.slot[i] = i;
		record_write(&w.record[i], i);
	}
	for (unsigned i = 0; i < READERS; i++) {
		w.seen[i].value = EPOCH_OFFLINE;
		writer.seen[i] = &w.seen[i].value;
		w.reader[i] = (struct reader){
			.epoch = {.epoch = &w.epoch, .seen = &w.seen[i].value},
			.world = &w,
			.seed = i + 1,
		};
		CHECK(pthread_create(&thread[i], NULL, reader_main, &w.reader[i]) == 0);
	}
	uint64_t start = stress_now_ms();
	rounds = write_all(&w, &writer, rounds, stress_operations(argc, argv));
	uint64_t took_ms = stress_now_ms() - start;
	atomic_store(&w.stop, 1);
	for (unsigned i = 0; i < READERS; i++)
		CHECK(pthread_join(thread[i], NULL) == 0);
	printf("%llu records replaced, %llu and %llu read, in %llu ms\n",
		(unsigned long long)rounds, (unsigned long long)w.reader[0].reads,
		(unsigned long long)w.reader[1].reads, (unsigned long long)took_ms);
	return 0;
}
