// SPDX-License-Identifier: BSD-3-Clause

// Two writers, each of its share, and two readers of L0, as between the resolvers and the workers:
// a writer puts, replaces, restamps, judges, deletes and sweeps under constant eviction; the
// readers look up in batches, mark what they hit, hold their views until the end of the turn, and
// check each byte. Every answer follows from its key and a serial number that never falls, so a
// torn record, one reused too early or one that comes back after its successor was seen ends the
// program.

#include "stress.h"
#include "tests/unit/core/l0/l0_audit.h"
#include "tests/unit/core/l0/l0_fixture.h"

#include <errno.h>
#include <pthread.h>

enum { WRITERS = 2, READERS = 2, IDS = 2000, TURN = 32 };

struct reader {
	struct world *world;
	struct epoch_reader epoch;
	struct l0_reader l0;
	_Atomic uint8_t *marks;
	uint64_t seed, hits, misses;
	_Atomic uint64_t lookups;
	uint32_t newest[IDS];
};

struct writer {
	struct world *world;
	struct l0_writer *w;
	uint64_t seed, rounds, operations; // operations: of all threads together; 0: any
	_Atomic uint64_t written;
};

struct world {
	struct box box;
	_Atomic int stop;
	struct reader reader[READERS];
	struct writer writer[WRITERS];
};

static void check(struct reader *r, uint32_t id, const struct l0_view *v)
{
	uint32_t serial;
	CHECK(v->answer.len >= BOX_ANSWER_MIN);
	CHECK(box_is_answer(v, id, &serial));
	CHECK(serial >= r->newest[id]);
	r->newest[id] = serial;
}

static void turn(struct reader *r)
{
	uint32_t id[TURN], found[TURN];
	struct box_name name[TURN];
	struct l0_key key[TURN];
	struct l0_view view[TURN];
	for (unsigned i = 0; i < TURN; i++) {
		uint32_t span = stress_random(&r->seed) % 4 ? IDS / 20 : IDS; // some are popular
		id[i] = (uint32_t)(stress_random(&r->seed) % span);
		key[i] = box_key(&r->l0, id[i], &name[i]);
		l0_prefetch_bucket(&r->l0, key[i].hash);
	}
	for (unsigned i = 0; i < TURN; i++)
		found[i] = l0_candidate(&r->l0, key[i].hash);
	uint64_t anomalies = 0;
	for (unsigned i = 0; i < TURN; i++) {
		found[i] = l0_find(&r->l0, &key[i], found[i], &anomalies);
		if (found[i] == L0_NONE) {
			r->misses++;
			continue;
		}
		CHECK(l0_record_read(&r->l0, found[i], &view[i]));
		_Atomic uint8_t *mark = &r->marks[found[i]];
		uint8_t has = atomic_load_explicit(mark, memory_order_relaxed);
		uint8_t now = (uint8_t)(has < MARK_HITS ? has + MARK_HIT : has) | MARK_VISITED;
		if (now != has)
			atomic_store_explicit(mark, now, memory_order_relaxed);
		r->hits++;
	}
	CHECK(anomalies == 0);
	for (unsigned i = 0; i < TURN; i++) {
		if (found[i] != L0_NONE)
			check(r, id[i], &view[i]);
	}
	atomic_fetch_add_explicit(&r->lookups, TURN, memory_order_relaxed);
}

static void *reader_main(void *arg)
{
	struct reader *r = arg;
	epoch_online(&r->epoch);
	while (!atomic_load_explicit(&r->world->stop, memory_order_relaxed)) {
		epoch_quiescent(&r->epoch);
		turn(r);
		if (stress_random(&r->seed) % 256 == 0) {
			epoch_offline(&r->epoch);
			sched_yield();
			epoch_online(&r->epoch);
		}
	}
	epoch_offline(&r->epoch);
	return NULL;
}

static void write_one(struct box *b, struct l0_writer *w, uint64_t *seed, uint32_t serial)
{
	uint32_t id = (uint32_t)(stress_random(seed) % IDS);
	uint32_t what = (uint32_t)(stress_random(seed) % 64);
	struct box_name n;
	struct l0_key key = box_key(l0_writer_reader(w), id, &n);
	if (!l0_writer_owns(w, key.hash)) {
		CHECK(l0_writer_restamp(w, &key, serial) == -ENOENT);
	} else if (what < 8) {
		(void)l0_writer_delete(w, &key);
	} else if (what < 12) {
		int rc = what < 10 ? l0_writer_restamp(w, &key, serial)
				   : l0_writer_tell_from(w, &key, serial);
		CHECK(rc == 0 || rc == -ENOENT || rc == -ENOSPC);
	} else if (what == 12) {
		(void)l0_writer_sweep(w, &(struct l0_sweep){.now_ms = serial, .keep_256 = 256}, 64);
	} else if (what < 17) {
		int rc = box_set_mask(b, id, serial % 3);
		CHECK(rc == 0 || rc == -ENOENT || rc == -ENOSPC);
	} else {
		uint64_t long_one = stress_random(seed) % 8 == 0;
		uint16_t len =
			(uint16_t)(BOX_ANSWER_MIN + stress_random(seed) % (long_one ? 6000 : 600));
		int rc = box_put(b, id, serial, len, serial, 20000);
		CHECK(rc == 0 || rc == -ENOSPC);
	}
}

static bool is_enough(const struct writer *own, uint64_t written)
{
	const struct world *w = own->world;
	uint64_t all = 0;
	if (!own->operations || written % 1024)
		return false;
	for (unsigned i = 0; i < READERS; i++)
		all += atomic_load_explicit(&w->reader[i].lookups, memory_order_relaxed);
	for (unsigned i = 0; i < WRITERS; i++)
		all += atomic_load_explicit(&w->writer[i].written, memory_order_relaxed);
	return all >= own->operations;
}

static void *writer_main(void *arg)
{
	struct writer *own = arg;
	uint64_t start = stress_now_ms();
	for (uint32_t serial = 1; serial <= own->rounds && !is_enough(own, serial); serial++) {
		write_one(&own->world->box, own->w, &own->seed, serial);
		l0_writer_reclaim(own->w);
		atomic_store_explicit(&own->written, serial, memory_order_relaxed);
		CHECK(stress_now_ms() - start < 5 * STRESS_WAIT_MS);
	}
	return NULL;
}

static void writer_report(const struct writer *own)
{
	char why[128] = "";
	struct l0_writer_stats s;
	l0_writer_stats(own->w, &s);
	if (l0_audit(own->w, why) != 0) {
		fprintf(stderr, "audit: %s\n", why);
		exit(1);
	}
	CHECK(s.puts > 0 && s.refused_foreign == 0);
	printf("writer: %llu puts, %llu replaced, %llu evicted, %llu refused\n",
		(unsigned long long)s.puts, (unsigned long long)s.replaced,
		(unsigned long long)(s.evicted_space + s.evicted_bucket),
		(unsigned long long)s.refused_nospace);
}

int main(int argc, char **argv)
{
	static struct world w;
	CHECK(stress_rounds(argc, argv) < UINT32_MAX);
	CHECK(box_open_for(&w.box, 1 << 20, 8, WRITERS));
	pthread_t thread[READERS], writing[WRITERS];
	for (unsigned i = 0; i < READERS; i++) {
		struct reader *r = &w.reader[i];
		r->world = &w;
		r->seed = i + 1;
		r->epoch = (struct epoch_reader){.epoch = &w.box.epoch, .seen = &w.box.seen[i]};
		CHECK(l0_reader_init(&r->l0, w.box.base, w.box.size) == 0);
		r->marks = (_Atomic uint8_t *)calloc(r->l0.unit_count, 1);
		CHECK(r->marks);
		for (unsigned k = 0; k < WRITERS; k++)
			l0_writer_set_marks(w.box.all[k], i, r->marks);
		CHECK(pthread_create(&thread[i], NULL, reader_main, r) == 0);
	}
	for (unsigned i = 0; i < WRITERS; i++) {
		w.writer[i] = (struct writer){.world = &w,
			.w = w.box.all[i],
			.seed = 77 + i,
			.rounds = stress_rounds(argc, argv),
			.operations = stress_operations(argc, argv)};
	}
	for (unsigned i = 0; i < WRITERS; i++)
		CHECK(pthread_create(&writing[i], NULL, writer_main, &w.writer[i]) == 0);
	for (unsigned i = 0; i < WRITERS; i++)
		CHECK(pthread_join(writing[i], NULL) == 0);
	atomic_store(&w.stop, 1);
	for (unsigned i = 0; i < READERS; i++) {
		CHECK(pthread_join(thread[i], NULL) == 0);
		CHECK(w.reader[i].hits > 0 && w.reader[i].misses > 0);
		printf("reader %u: %llu hits, %llu misses\n", i,
			(unsigned long long)w.reader[i].hits,
			(unsigned long long)w.reader[i].misses);
	}
	for (unsigned i = 0; i < WRITERS; i++)
		writer_report(&w.writer[i]);
	box_close(&w.box);
	for (unsigned i = 0; i < READERS; i++)
		free((void *)(uintptr_t)w.reader[i].marks);
	return 0;
}
