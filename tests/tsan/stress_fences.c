// SPDX-License-Identifier: BSD-3-Clause

// The two places where each side stores and then loads what the other stores, and must not both
// miss: a consumer going to sleep while its producer publishes, a reader coming online while its
// writer retires. Two threads meet at each round and do the two halves as close together as they
// can; without the full fences, store buffers show the forbidden outcome within some thousand
// rounds.

#include "stress.h"

#include <pthread.h>
#include <time.h>
#include <weir/shm_epoch.h>
#include <weir/shm_msg.h>
#include <weir/shm_ring.h>

// Each side's half of one of the two encounters.
enum { OPERATIONS_A_ROUND = 2 };
enum { UNITS = 16, SPINS = 2000 };

static struct {
	struct ring_index tail, head;
	alignas(CACHE_LINE) uint8_t data[UNITS * RING_UNIT];
	alignas(CACHE_LINE) _Atomic uint64_t epoch;
	// What readers find; the writer replaces it. On the epoch's line, where the reader's early
	// load is most likely (each of the four fences taken out was found by this program).
	_Atomic uint64_t current;
	alignas(CACHE_LINE) _Atomic uint64_t seen;
	// Rounds that each side has begun, and ended.
	alignas(CACHE_LINE) _Atomic uint64_t begun[2];
	alignas(CACHE_LINE) _Atomic uint64_t ended[2];
	// Outcomes of side 0's halves, read after the round; when to start, set before it by
	// side 1.
	alignas(CACHE_LINE) bool asleep;
	uint64_t found;
	uint64_t start_ns;
} w;

// Waits until the other side has come as far as we have.
static void meet(_Atomic uint64_t at[2], unsigned side, uint64_t round)
{
	uint64_t deadline = 0;
	atomic_store_explicit(&at[side], round, memory_order_release);
	for (unsigned spins = 0; atomic_load_explicit(&at[!side], memory_order_acquire) < round;
		spins++) {
		if (spins < SPINS)
			continue;
		spins = 0;
		sched_yield();
		if (deadline == 0)
			deadline = stress_now_ms() + STRESS_WAIT_MS;
		CHECK(stress_now_ms() < deadline);
	}
}

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

// Both leave at the time that side 1 has set, give or take some ten nanoseconds: who met the other
// first would else always be the first to go.
static void start_together(uint64_t *seed)
{
	uint64_t start_ns = w.start_ns;
	while (now_ns() < start_ns)
		;
	for (uint64_t n = stress_random(seed) % 64; n > 0; n--)
		atomic_signal_fence(memory_order_seq_cst);
}

static void *sleeper_main(void *arg)
{
	uint64_t rounds = *(const uint64_t *)arg, seed = 5;
	struct ring_consumer c;
	struct epoch_reader r = {.epoch = &w.epoch, .seen = &w.seen};
	uint8_t buf[8];
	uint16_t type;
	ring_consumer_init(&c, &w.tail, &w.head, w.data, UNITS);
	for (uint64_t round = 1; round <= rounds; round++) {
		meet(w.begun, 0, round);
		// In our cache, so that the load that the fence must hold back would be early.
		(void)atomic_load_explicit(&w.current, memory_order_relaxed);
		start_together(&seed);
		if (round & 1) {
			w.asleep = ring_prepare_sleep(&c);
		} else {
			epoch_online(&r);
			w.found = atomic_load_explicit(&w.current, memory_order_relaxed);
		}
		meet(w.ended, 0, round);
		ring_awake(&c);
		epoch_offline(&r);
		if (round & 1)
			CHECK(ring_read(&c, buf, sizeof(buf), &type) == 8);
		ring_release(&c);
	}
	return NULL;
}

static void produce(struct ring_producer *p, uint64_t round)
{
	uint64_t *m = ring_reserve(p, MSG_MISS, sizeof(*m));
	CHECK(m);
	*m = round;
	ring_publish(p);
}

int main(int argc, char **argv)
{
	uint64_t rounds = stress_rounds_of(argc, argv, OPERATIONS_A_ROUND), seed = 3;
	uint64_t slept = 0, passed_count = 0;
	w.epoch = 1;
	w.seen = EPOCH_OFFLINE;
	struct ring_producer p;
	struct epoch_writer writer = {.epoch = &w.epoch, .seen = {&w.seen}};
	ring_producer_init(&p, &w.tail, &w.head, w.data, UNITS);
	pthread_t thread;
	CHECK(pthread_create(&thread, NULL, sleeper_main, &rounds) == 0);
	for (uint64_t round = 1; round <= rounds; round++) {
		bool wake = false, passed = false;
		w.start_ns = now_ns() + 400;
		meet(w.begun, 1, round);
		start_together(&seed);
		if (round & 1) {
			produce(&p, round);
			wake = ring_wants_wake(&p);
		} else {
			atomic_store_explicit(&w.current, round, memory_order_relaxed);
			passed = epoch_passed(&writer, epoch_advance(&writer));
		}
		meet(w.ended, 1, round);
		if (round & 1)
			CHECK(wake || !w.asleep);
		else
			CHECK(!passed || w.found == round);
		slept += (round & 1) && w.asleep;
		passed_count += passed;
	}
	CHECK(pthread_join(thread, NULL) == 0);
	printf("%llu rounds: asleep %llu times, passed %llu times\n", (unsigned long long)rounds,
		(unsigned long long)slept, (unsigned long long)passed_count);
	return 0;
}
