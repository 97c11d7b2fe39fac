// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/unit.h"

#include <sched.h>
#include <weir/shm_epoch.h>

struct world {
	_Atomic uint64_t epoch;
	_Atomic uint64_t seen[3];
	struct epoch_reader reader[3];
	struct epoch_writer writer;
};

static void world_init(struct world *w)
{
	*w = (struct world){.epoch = 1};
	w->writer.epoch = &w->epoch;
	for (unsigned i = 0; i < 3; i++) {
		w->seen[i] = EPOCH_OFFLINE;
		w->reader[i] = (struct epoch_reader){.epoch = &w->epoch, .seen = &w->seen[i]};
		w->writer.seen[i * 20] = &w->seen[i];
	}
}

static struct world w;
FIXTURE(begin, world_init(&w))

TEST_WITH(test_offline_never_delays, begin, NULL)
{
	assert_true(epoch_passed(&w.writer, epoch_advance(&w.writer)));
	epoch_online(&w.reader[1]);
	uint64_t e = epoch_advance(&w.writer);
	assert_false(epoch_passed(&w.writer, e));
	epoch_offline(&w.reader[1]);
	assert_true(epoch_passed(&w.writer, e));
}

TEST_WITH(test_every_online_reader_counts, begin, NULL)
{
	for (unsigned i = 0; i < 3; i++)
		epoch_online(&w.reader[i]);
	uint64_t first = epoch_advance(&w.writer);
	uint64_t second = epoch_advance(&w.writer);
	assert_int_equal(second, first + 1);
	epoch_quiescent(&w.reader[0]);
	epoch_quiescent(&w.reader[2]);
	assert_false(epoch_passed(&w.writer, first));
	epoch_quiescent(&w.reader[1]);
	assert_true(epoch_passed(&w.writer, first));
	assert_true(epoch_passed(&w.writer, second));
	assert_false(epoch_passed(&w.writer, epoch_advance(&w.writer)));
}

// Online after the advance: what was retired before it cannot be found any more.
TEST_WITH(test_late_reader_does_not_delay, begin, NULL)
{
	uint64_t e = epoch_advance(&w.writer);
	epoch_online(&w.reader[0]);
	assert_true(epoch_passed(&w.writer, e));
}

TEST_WITH(test_detached_reader_is_not_asked, begin, NULL)
{
	epoch_online(&w.reader[2]);
	uint64_t e = epoch_advance(&w.writer);
	assert_false(epoch_passed(&w.writer, e));
	w.writer.seen[40] = NULL;
	assert_true(epoch_passed(&w.writer, e));
}

// A reader of the writers' own process counts like a worker, in every writer's book, with and
// without workers; offline it delays nobody.
TEST_WITH(test_own_reader_counts, begin, NULL)
{
	_Atomic uint64_t seen = EPOCH_OFFLINE;
	struct epoch_reader own = {.epoch = &w.epoch, .seen = &seen};
	struct epoch_writer other = {.epoch = &w.epoch};
	w.writer.own[EPOCH_OWN_MAX - 1] = other.own[0] = &seen;
	assert_true(epoch_passed(&w.writer, epoch_advance(&w.writer)));
	epoch_online(&own);
	uint64_t e = epoch_advance(&w.writer);
	assert_false(epoch_passed(&w.writer, e));
	assert_false(epoch_passed(&other, epoch_advance(&other)));
	epoch_offline(&own);
	epoch_online(&own);
	assert_true(epoch_passed(&w.writer, e));
	epoch_offline(&own);
	assert_true(epoch_passed(&other, epoch_advance(&other)));
	seen = atomic_load(&w.epoch) + 1; // never given out
	assert_false(epoch_passed(&w.writer, e));
}

// Each writer waits for its own epoch, by its own book, and takes a number that no other has.
TEST_WITH(test_writers_advance_one_epoch, begin, NULL)
{
	struct epoch_writer other = {.epoch = &w.epoch, .seen = {&w.seen[0]}};
	epoch_online(&w.reader[0]);
	epoch_online(&w.reader[1]);
	uint64_t mine = epoch_advance(&w.writer);
	epoch_quiescent(&w.reader[0]);
	uint64_t theirs = epoch_advance(&other);
	assert_int_equal(theirs, mine + 1);
	assert_true(epoch_passed(&other, mine));
	assert_false(epoch_passed(&other, theirs));
	assert_false(epoch_passed(&w.writer, mine)); // its book has reader 1
	epoch_quiescent(&w.reader[0]);
	assert_true(epoch_passed(&other, theirs));
	epoch_quiescent(&w.reader[1]);
	assert_true(epoch_passed(&w.writer, mine));
}

// The life that reads: attached in one book, known to be dead for all.
TEST_WITH(test_a_life_is_known_by_each_book, begin, NULL)
{
	_Atomic uint64_t reader = 7, dead = 0;
	w.writer.reader = &reader;
	struct epoch_writer other = {.epoch = &w.epoch, .reader = &reader, .dead = &dead};
	w.writer.dead = &dead;
	w.writer.attached = 7;
	uint64_t e = epoch_advance(&w.writer);
	assert_true(epoch_passed(&w.writer, e));
	assert_false(epoch_passed(&other, e));
	w.writer.attached = 0;
	assert_false(epoch_passed(&w.writer, e));
	dead = 7;
	assert_true(epoch_passed(&w.writer, e) && epoch_passed(&other, e));
}

// Quiescent between two stores writes nothing; the line stays the reader's own.
TEST_WITH(test_quiescent_writes_only_on_change, begin, NULL)
{
	epoch_online(&w.reader[0]);
	w.seen[0] = 4711;
	epoch_quiescent(&w.reader[0]);
	assert_int_equal(w.seen[0], 4711);
	epoch_advance(&w.writer);
	epoch_quiescent(&w.reader[0]);
	assert_int_equal(w.seen[0], 2);
}

// A word that was never given out delays; it must not free anything.
TEST_WITH(test_nonsense_only_delays, begin, NULL)
{
	epoch_online(&w.reader[0]);
	uint64_t e = epoch_advance(&w.writer);
	const uint64_t nonsense[] = {0, 1, e + 1, UINT64_MAX - 1, UINT64_C(1) << 63};
	for (unsigned i = 0; i < ARRAY_LEN(nonsense); i++) {
		w.seen[0] = nonsense[i];
		assert_false(epoch_passed(&w.writer, e));
	}
	w.seen[0] = e;
	assert_true(epoch_passed(&w.writer, e));
}

// Two slots: the reader takes the current one's number and reads it; the writer moves `current`,
// waits, and poisons the other. A reader that comes and goes must never read poison.
enum { ROUNDS = 300 };

struct shared {
	struct world w;
	_Atomic unsigned current;
	uint64_t slot[2]; // plain memory: only the epoch orders it
	_Atomic bool stop;
	_Atomic unsigned ready;
	uint64_t poison_seen[3];
	uint64_t reads[3];
};

struct seat {
	struct shared *s;
	unsigned i;
};

static void *reader_main(void *arg)
{
	struct seat *seat = arg;
	struct shared *s = seat->s;
	struct epoch_reader *r = &s->w.reader[seat->i];
	epoch_online(r);
	atomic_fetch_add(&s->ready, 1);
	for (uint64_t n = 0; !atomic_load_explicit(&s->stop, memory_order_relaxed); n++) {
		if (n % 7 == seat->i) {
			epoch_offline(r);
			epoch_online(r);
		} else {
			epoch_quiescent(r);
		}
		unsigned now = atomic_load_explicit(&s->current, memory_order_acquire);
		s->poison_seen[seat->i] += s->slot[now] == 0;
		s->reads[seat->i]++;
		if (n % 64 == 0) // fewer cores than threads: let the writer come
			sched_yield();
	}
	epoch_offline(r);
	return NULL;
}

TEST(test_threads_never_read_reused_memory)
{
	static struct shared s;
	world_init(&s.w);
	s.slot[0] = 1;
	pthread_t t[2];
	struct seat seats[2] = {{&s, 0}, {&s, 1}};
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&t[i], NULL, reader_main, &seats[i]), 0);
	while (atomic_load(&s.ready) < 2)
		sched_yield();
	for (unsigned n = 1; n <= ROUNDS; n++) {
		unsigned next = n & 1;
		s.slot[next] = n;
		atomic_store_explicit(&s.current, next, memory_order_release);
		uint64_t e = epoch_advance(&s.w.writer);
		while (!epoch_passed(&s.w.writer, e))
			sched_yield();
		s.slot[!next] = 0;
	}
	atomic_store(&s.stop, true);
	for (unsigned i = 0; i < 2; i++) {
		pthread_join(t[i], NULL);
		assert_int_equal(s.poison_seen[i], 0);
		assert_true(s.reads[i] > 0);
	}
}
