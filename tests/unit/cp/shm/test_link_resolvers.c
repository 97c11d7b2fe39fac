// SPDX-License-Identifier: BSD-3-Clause

// Two resolvers on their own loops behind one link: each gets the misses of its rings and answers
// on them, and both let a data plane go before the next one is welcome.

#include "link_rig.h"

#include <weir/keyhash.h>

TEST_WITH(test_each_answers_on_its_own_rings, setup, teardown)
{
	fake_dataplane_grow(&dp);
	link_now();
	for (unsigned i = 0; i < 50; i++)
		ask_both();
	for (unsigned i = 0; i < RESOLVERS; i++)
		assert_int_equal(holds(&side[i]), WORKERS + 1);
	assert_int_equal(side[0].misses, 50 * WORKERS);
	assert_int_equal(side[1].misses, 50 * WORKERS);
}

// The data plane makes them when it has activated the cache, which may be after its hello. Then no
// gong has been heard for what lies there already.
TEST_WITH(test_later_rings_are_found, setup, teardown)
{
	link_now();
	ask(&dp.misses[0], 0, dp.gong);
	assert_int_equal(answered(&dp.answers[0]), 0);
	fake_dataplane_grow(&dp);
	ask(&dp.second.misses[1], 1, -1);
	assert_int_equal(answered(&dp.second.answers[1]), 1);
	ask_both();
}

// The first resolver refuses one whose first rings are nonsense, and the second lets it go; one
// that comes after it is welcome.
TEST_WITH(test_a_refusal_of_one_is_a_refusal_of_all, setup, teardown)
{
	struct region_header *h = (struct region_header *)(void *)dp.rings[0].base;
	struct region_header sound = *h;
	struct link_welcome w = {0};
	fake_dataplane_grow(&dp);
	h->geometry[0]++;
	h->sum = contenthash(&h->abi_version,
		offsetof(struct region_header, sum) - offsetof(struct region_header, abi_version));
	assert_int_equal(fake_dataplane_link(&dp, &w), -EPROTO);
	close(dp.link_fd);
	*h = sound;
	for (unsigned i = 0; i < RESOLVERS; i++)
		assert_int_equal(holds(&side[i]), 0);
	ask(&dp.misses[0], 0, dp.gong);
	link_now();
	assert_int_equal(answered(&dp.answers[0]), 0); // of the second hello
	ask_both();
}

// Each keeps its book of the workers, and empties it when the process is dead.
TEST_WITH(test_both_let_a_dead_one_go, setup, teardown)
{
	fake_dataplane_grow(&dp);
	link_now();
	ask_both();
	fake_dataplane_close(&dp); // killed
	fake_dataplane_open(&dp, &paths, WORKERS);
	fake_dataplane_grow(&dp);
	link_now();
	ask_both();
	fake_dataplane_close(&dp);
	dp_open = false;
	for (unsigned i = 0; i < RESOLVERS; i++)
		wait_until_let_go(&side[i]);
}

// As after a restart with fewer of them: the workers go on with the rings of the second one until
// they have activated the cache. The first one answers these misses, on its own rings.
TEST_WITH(test_misses_for_one_that_is_gone_are_answered, setup_alone, teardown)
{
	fake_dataplane_grow(&dp);
	for (unsigned i = 0; i < WORKERS; i++)
		ask(&dp.second.misses[i], i, -1);
	link_now();
	for (unsigned i = 0; i < WORKERS; i++)
		assert_int_equal(answered(&dp.answers[i]), 0);
	ask(&dp.second.misses[1], 1, dp.second.gong);
	assert_int_equal(answered(&dp.answers[1]), 0);
	assert_int_equal(side[0].misses, WORKERS + 1);
}

enum { EACH = 200, BEATS = 200 }; // a beat of a busy machine may take none

static unsigned of_beat[BEATS];
static _Atomic bool has_beaten;

// On the loop, between two of its turns: the rings of both workers get questions, and beats follow.
static void beats(void *arg)
{
	struct side *s = arg;
	for (unsigned i = 0; i < WORKERS * EACH; i++)
		ask(&dp.second.misses[i % WORKERS], i % WORKERS, -1);
	for (unsigned i = 0; i < BEATS; i++) {
		const unsigned before = s->misses;
		worker_rings_beat(s->rings);
		of_beat[i] = s->misses - before;
	}
	has_beaten = true;
}

// A data plane that never activates the cache fills these rings: each beat takes one of them, if
// that takes its time, in turn.
TEST_WITH(test_rings_of_one_that_is_gone_wait_their_turn, setup_alone, teardown)
{
	fake_dataplane_grow(&dp);
	link_now();
	side[0].apart = true; // its answers may not fit
	side[0].miss_us = 100;
	assert_int_equal(loop_call(side[0].loop, beats, &side[0]), 0);
	WAIT_FOR(has_beaten);
	unsigned sum = 0;
	for (unsigned i = 0; i < BEATS; i++) {
		assert_in_range(of_beat[i], 0, EACH);
		sum += of_beat[i];
	}
	assert_int_equal(sum, WORKERS * EACH);
}

// The second worker's heart stops, so its questions are taken as ever, and answered no more: by
// neither resolver. The first worker's go on. When it is back, so do its own.
TEST_WITH(test_an_evicted_worker_is_not_answered, setup, teardown)
{
	fake_dataplane_grow(&dp);
	link_now();
	ask_both();
	atomic_store(&dp.dp[1]->heartbeat_ms, clock_mono_ms());
	WAIT_FOR(publisher_is_out(publisher, 1),
		atomic_store(&dp.dp[0]->heartbeat_ms, clock_mono_ms()));
	ask(&dp.misses[1], 1, dp.gong);
	ask(&dp.second.misses[1], 1, dp.second.gong);
	WAIT_FOR(side[0].unsent + side[1].unsent >= 2);
	assert_int_equal(ring_consumer_used(&dp.answers[1]), 0);
	ask(&dp.misses[0], 0, dp.gong);
	assert_int_equal(answered(&dp.answers[0]), 0);
	atomic_store(&dp.dp[1]->returned, 1); // epoch_return
	WAIT_FOR(!publisher_is_out(publisher, 1),
		atomic_store(&dp.dp[1]->heartbeat_ms, clock_mono_ms()));
	ask_both();
}

static void wait_for_unsent(unsigned count)
{
	WAIT_FOR(side[0].unsent >= count);
}

// Our half of the first worker's rings is gone when the data plane attaches again. The worker has
// read one of two answers there, and was evicted: it takes nothing in the new half for its own
// before it has found its end.
TEST_WITH(test_a_half_is_made_again, setup, teardown)
{
	const struct rings_cp_page *cp = (const void *)(dp.halves[0].base + ANSWERS_CP_PAGE);
	const struct epoch_reader stuck = {.evicted = &cp->evicted};
	struct worker_rings_stats stats;
	uint8_t buf[FAKE_ANSWER_MAX];
	uint16_t type;

	fake_dataplane_grow(&dp);
	link_now();
	for (unsigned i = 0; i < 2; i++)
		ask(&dp.misses[0], 0, dp.gong);
	WAIT_FOR(ring_consumer_used(&dp.answers[0])
		 >= 2 * ring_units_of(sizeof(struct msg_answer) + 5));
	assert_true(ring_read(&dp.answers[0], buf, sizeof(buf), &type) > 0);
	ring_release(&dp.answers[0]);
	assert_false(epoch_is_evicted(&stuck));
	assert_int_equal(region_unlink(&paths, SHM_IN_MEM, "answers.0"), 0);
	close(dp.link_fd);
	link_now();
	assert_true(epoch_is_evicted(&stuck));
	side[0].apart = true;
	for (unsigned i = 0; i < 2; i++)
		ask(&dp.misses[0], 0, dp.gong);
	wait_for_unsent(2);
	assert_int_equal(ring_read(&dp.answers[0], buf, sizeof(buf), &type), -EPROTO);
	ring_release(&dp.answers[0]);
	side[0].apart = false;
	ask_both();
	worker_rings_stats(side[0].rings, &stats);
	assert_int_equal(stats.ring_anomalies, 0);
}

// Marks of the first worker, as the data plane makes them once it has activated the cache.
static void marks_make(void)
{
	char name[SHM_NAME_MAX], why[SHM_WHY_MAX];
	struct publish_status now;
	struct region l0, marks;
	bool fresh;
	publisher_l0(publisher, &l0, &fresh);
	publish_status(publisher, &now);
	// One less than there are (struct l0_reader).
	const uint64_t units = region_header_of(&l0)->geometry[1] - 1;
	shm_name_marks(name, 0, now.l0_generation);
	const struct region_spec spec = {
		.name = name,
		.kind = REGION_MARKS,
		.generation = now.l0_generation,
		.incarnation = dp.incarnation,
		.data_size = units,
		.geometry = {units},
	};
	assert_int_equal(region_create(&paths, &spec, &marks, why), 0);
	region_publish(&marks);
	region_unmap(&marks);
}

// Mappings of marks in this process: of a file that is there, or of one that a later one replaced.
static unsigned marks_mapped(bool are_replaced)
{
	char line[512];
	unsigned n = 0;
	FILE *f = fopen("/proc/self/maps", "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, "/marks.0.") && !strstr(line, "(deleted)") != are_replaced;
	fclose(f);
	return n;
}

static void wait_until_mapped(bool are_replaced, unsigned n)
{
	WAIT_FOR(marks_mapped(are_replaced) == n);
}

// Each resolver keeps those of an ended worker until a successor has its own, or for a while.
TEST_WITH(test_marks_of_ended_workers_are_let_go, setup, teardown)
{
	fake_dataplane_grow(&dp);
	marks_make();
	link_now();
	wait_until_mapped(false, RESOLVERS);
	fake_dataplane_close(&dp);
	fake_dataplane_open(&dp, &paths, WORKERS);
	fake_dataplane_grow(&dp);
	marks_make();
	link_now();
	wait_until_mapped(false, RESOLVERS);
	wait_until_mapped(true, 0);
	ask_both();
	fake_dataplane_close(&dp);
	dp_open = false;
	wait_until_mapped(false, 0);
}

static _Atomic int live; // -1: not looked yet

static void live_look(void *arg)
{
	struct side *s = arg;
	atomic_store(&live, (int)worker_rings_live(s->rings, clock_mono_ms(), 60000));
}

// The workers by which a resolver may send to upstream servers.
static int live_of(struct side *s)
{
	atomic_store(&live, -1);
	assert_int_equal(loop_call(s->loop, live_look, s), 0);
	WAIT_FOR(atomic_load(&live) >= 0);
	return atomic_load(&live);
}

// Rings of the second resolver may be left from an earlier cache: a worker that has not activated
// the current one polls those of the first alone.
TEST_WITH(test_rings_that_nobody_polls_are_not_live, setup, teardown)
{
	struct publish_status now;
	publish_status(publisher, &now);
	fake_dataplane_grow(&dp);
	link_now();
	ask_both();
	for (unsigned i = 0; i < WORKERS; i++) {
		atomic_store(&dp.dp[i]->heartbeat_ms, clock_mono_ms());
		atomic_store(&dp.dp[i]->activated_hops, 1);
		atomic_store(&dp.dp[i]->activated_l0, now.l0_generation - i);
	}
	assert_int_equal(live_of(&side[0]), 3);
	assert_int_equal(live_of(&side[1]), 1);
	atomic_store(&dp.dp[1]->activated_l0, now.l0_generation);
	assert_int_equal(live_of(&side[1]), 3);
}
