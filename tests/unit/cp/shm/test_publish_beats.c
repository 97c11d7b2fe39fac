// SPDX-License-Identifier: BSD-3-Clause
// A resolver that hangs is noticed by each that does not.
#include "controlplane/shm/publish.h"
#include "tests/unit/unit.h"

static struct shm_paths paths;
static struct publisher *p;

static int open_both(unsigned resolvers, unsigned frontends)
{
	char run[FOLDER_MAX], why[SHM_WHY_MAX];
	struct config config = {.cache.l0_mb = 1, .controlplane = {resolvers, frontends}};

	log_init("test_publish_beats", (enum log_level)0); // what hangs is the point here
	assert_int_equal(folder_make(run, "beats"), 0);
	assert_int_equal(shm_paths_init(&paths, run, "off", why), 0);
	return publisher_open(&p, &paths, &config, why);
}

static int open_with(unsigned resolvers)
{
	return open_both(resolvers, 1);
}

static int teardown(void **)
{
	publisher_close(p);
	shm_paths_close(&paths);
	return folder_remove(paths.run, paths.mem);
}

static unsigned hung(void)
{
	struct publish_status s;
	publish_status(p, &s);
	return s.resolvers_hung;
}

enum { BEAT_MS = 100, RESOLVERS = 3 };

static uint64_t now_ms = 100000;

// For so long those of `beating`, one bit each, beat.
static void run_some(unsigned ms, unsigned beating)
{
	for (const uint64_t end_ms = now_ms + ms; now_ms < end_ms; now_ms += BEAT_MS)
		for (unsigned i = 0; i < RESOLVERS; i++)
			if (beating >> i & 1)
				publisher_resolver_beat(p, i, now_ms);
}

// All but `silent`.
static void run(unsigned ms, unsigned silent)
{
	run_some(ms, ~(1u << silent));
}

TEST_WITH(test_each_is_looked_at, NULL, teardown)
{
	assert_int_equal(open_with(RESOLVERS), 0);
	for (unsigned silent = 0; silent < RESOLVERS; silent++) {
		run(3 * PUBLISH_HUNG_MS, RESOLVERS);
		assert_int_equal(hung(), 0);
		run(PUBLISH_HUNG_MS, silent);
		assert_int_equal(hung(), 0);
		run(2 * BEAT_MS, silent);
		assert_int_equal(hung(), 1);
		run(BEAT_MS, RESOLVERS);
		run(BEAT_MS, RESOLVERS);
		assert_int_equal(hung(), 0);
	}
}

TEST_WITH(test_all_but_one_hang, NULL, teardown)
{
	assert_int_equal(open_with(RESOLVERS), 0);
	for (unsigned one = 0; one < RESOLVERS; one++) {
		run(3 * PUBLISH_HUNG_MS, RESOLVERS);
		run_some(2 * PUBLISH_HUNG_MS, 1u << one);
		assert_int_equal(hung(), RESOLVERS - 1);
	}
}

// A stop that is hardly shorter than what counts as a hang: the other's last heartbeat was earlier.
TEST_WITH(test_a_short_stop_is_no_hang, NULL, teardown)
{
	assert_int_equal(open_with(RESOLVERS), 0);
	run(3 * PUBLISH_HUNG_MS, RESOLVERS);
	publisher_resolver_beat(p, 0, now_ms += BEAT_MS - 10);
	now_ms += PUBLISH_HUNG_MS - BEAT_MS / 2;
	publisher_resolver_beat(p, 0, now_ms);
	assert_int_equal(hung(), 0);
	run(BEAT_MS, RESOLVERS);
	assert_int_equal(hung(), 0);
}

// All stood still at once: a stopped process, or a suspended machine.
TEST_WITH(test_a_stop_of_all_is_no_hang, NULL, teardown)
{
	assert_int_equal(open_with(RESOLVERS), 0);
	run(3 * PUBLISH_HUNG_MS, RESOLVERS);
	now_ms += 10 * PUBLISH_HUNG_MS;
	run(BEAT_MS, 1); // the others are a little earlier
	assert_int_equal(hung(), 0);
	run(3 * PUBLISH_HUNG_MS, 1);
	assert_int_equal(hung(), 1);
}

static struct publish_status beat_both(unsigned ms, unsigned resolvers, unsigned frontends)
{
	struct publish_status s;
	for (const uint64_t end_ms = now_ms + ms; now_ms < end_ms; now_ms += BEAT_MS) {
		for (unsigned i = 0; i < resolvers; i++)
			publisher_resolver_beat(p, i, now_ms);
		for (unsigned i = 0; i < frontends; i++)
			publisher_frontend_beat(p, i, now_ms);
	}
	publish_status(p, &s);
	return s;
}

// Frontends and resolvers look at each other, and are counted apart.
TEST_WITH(test_a_frontend_hangs, NULL, teardown)
{
	assert_int_equal(open_both(1, 2), 0);
	struct publish_status s = beat_both(3 * PUBLISH_HUNG_MS, 1, 2);
	assert_int_equal(s.frontends, 2);
	assert_int_equal(s.frontends_hung + s.resolvers_hung, 0);
	s = beat_both(2 * PUBLISH_HUNG_MS, 1, 1);
	assert_int_equal(s.frontends_hung, 1);
	assert_int_equal(s.resolvers_hung, 0);
	s = beat_both(2 * PUBLISH_HUNG_MS, 1, 2);
	assert_int_equal(s.frontends_hung, 0);
	s = beat_both(2 * PUBLISH_HUNG_MS, 0, 2);
	assert_int_equal(s.frontends_hung, 0);
	assert_int_equal(s.resolvers_hung, 1);
	s = beat_both(2 * PUBLISH_HUNG_MS, 1, 0);
	assert_int_equal(s.frontends_hung, 2);
	assert_int_equal(s.resolvers_hung, 0);
}

// What dies for what: the process for its only resolver, or for all of them, at once; for one that
// others stand beside, and for frontends, when they do not come back.
TEST_WITH(test_who_hangs_takes_nothing_from_the_others, NULL, teardown)
{
	assert_int_equal(open_both(2, 2), 0);
	assert_true(publisher_serves(p, now_ms, now_ms)); // none has begun
	beat_both(BEAT_MS, 2, 2);
	const uint64_t from_ms = now_ms;
	assert_false(publisher_serves(p, now_ms, now_ms));
	beat_both(30 * PUBLISH_HUNG_MS, 1, 2); // the second resolver hangs
	assert_true(publisher_serves(p, from_ms, now_ms));
	beat_both(PUBLISH_LOST_MS - 31 * PUBLISH_HUNG_MS, 1, 0); // and the frontends
	assert_true(publisher_serves(p, from_ms, now_ms));
	beat_both(2 * PUBLISH_HUNG_MS, 1, 2);
	assert_false(publisher_serves(p, from_ms, now_ms)); // the resolver is lost
	beat_both(BEAT_MS, 2, 2);
	assert_true(publisher_serves(p, from_ms, now_ms));
	beat_both(PUBLISH_LOST_MS + 2 * BEAT_MS, 2, 1);
	assert_false(publisher_serves(p, from_ms, now_ms)); // a frontend is lost
	beat_both(BEAT_MS, 2, 2);
	const uint64_t last_ms = now_ms - BEAT_MS;
	beat_both(BEAT_MS, 0, 2);
	assert_false(publisher_serves(p, last_ms, now_ms)); // no resolver since
}

TEST_WITH(test_one_alone_looks_at_nobody, NULL, teardown)
{
	assert_int_equal(open_with(1), 0);
	publisher_resolver_beat(p, 0, now_ms);
	publisher_resolver_beat(p, 0, now_ms + 10 * PUBLISH_HUNG_MS);
	assert_int_equal(hung(), 0);
}
