// SPDX-License-Identifier: BSD-3-Clause

// The worker's loop on a plain thread, without ports: what it takes from the main lcore, when it is
// online, that it sleeps and that it stops.

#include "dataplane/state/worker_rings.h"
#include "tests/unit/clock_shift.h"
#include "tests/unit/unit.h"

enum { DEADLINE_MS = 60000 };

static char dir[64];
static char why[SHM_WHY_MAX];
static struct shm_paths paths;
static struct worker_rings worker_rings;
static struct worker worker;
static const struct worker_tables tables[2];
static _Atomic uint64_t epoch[2];
static pthread_t thread;

static void *run(void *arg)
{
	(void)worker_main(arg);
	return NULL;
}

static int setup(void **)
{
	const struct rings_spec_all spec = {
		.workers = 1, .incarnation = 7, .group = "", .stats_group = ""};
	log_init("test_worker_loop", LOG_LEVEL_ERROR);
	if (folder_make(dir, "loop") || shm_paths_init(&paths, dir, "off", why)
		|| worker_rings_create(&worker_rings, &paths, &spec, why))
		return -1;
	worker = (struct worker){.lcore = 5, .poll = POLL_ADAPTIVE};
	worker_rings_bind(&worker_rings, &worker);
	atomic_store(&worker.suspended_ms, clock_suspended_ms(0));
	atomic_store(&worker.next_tables, &tables[0]);
	atomic_store(&epoch[0], 1);
	atomic_store(&epoch[1], 1);
	return 0;
}

static int teardown(void **)
{
	worker_rings_close(&worker_rings);
	shm_paths_remove(&paths);
	rmdir(dir);
	return 0;
}

static void start(enum poll_mode mode)
{
	worker.poll = mode;
	assert_int_equal(pthread_create(&thread, NULL, run, &worker), 0);
}

static void stop(void)
{
	atomic_store(&worker.stop, 1);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(worker.stats->online, 0);
}

// Waits for a condition, with a deadline.
#define EVENTUALLY(condition)                                      \
	do {                                                       \
		uint64_t until_ms = clock_mono_ms() + DEADLINE_MS; \
		while (!(condition) && clock_mono_ms() < until_ms) \
			poll(NULL, 0, 1);                          \
		assert_true(condition);                            \
	} while (0)

TEST_WITH(takes_what_is_published, setup, teardown)
{
	start(POLL_ADAPTIVE);
	EVENTUALLY(atomic_load(&worker.tables_in_use) == &tables[0]);
	EVENTUALLY(worker.stats->online == 1);
	assert_int_equal(worker.stats->lcore, 5);
	atomic_store(&worker.next_tables, &tables[1]);
	EVENTUALLY(atomic_load(&worker.tables_in_use) == &tables[1]);
	// Without a directory there is no epoch, and nobody whom it could hold up.
	assert_true(atomic_load(&worker.rings->seen_epoch) == EPOCH_OFFLINE);
	atomic_store(&worker.next_epoch, &epoch[0]);
	EVENTUALLY(atomic_load(&worker.epoch_in_use) == &epoch[0]);
	atomic_store(&worker.next_epoch, &epoch[1]);
	EVENTUALLY(atomic_load(&worker.epoch_in_use) == &epoch[1]);
	uint64_t now_ms = clock_mono_ms();
	EVENTUALLY(atomic_load(&worker.rings->heartbeat_ms) > now_ms);
	assert_true(worker.stats->heartbeat_ms > now_ms);
	stop();
	assert_true(atomic_load(&worker.rings->seen_epoch) == EPOCH_OFFLINE);
}

// It takes tables meanwhile, but has not begun to beat when it is let go.
TEST_WITH(a_worker_on_hold_takes_tables_alone, setup, teardown)
{
	for (unsigned ends_on_hold = 0; ends_on_hold < 2; ends_on_hold++) {
		atomic_store(&worker.stop, 0);
		atomic_store(&worker.hold, 1);
		atomic_store(&worker.next_tables, &tables[0]);
		atomic_store(&worker.next_epoch, &epoch[0]);
		atomic_store(&worker.rings->heartbeat_ms, 0);
		start(POLL_BUSY);
		EVENTUALLY(atomic_load(&worker.epoch_in_use) == &epoch[0]);
		atomic_store(&worker.next_tables, &tables[1]);
		EVENTUALLY(atomic_load(&worker.tables_in_use) == &tables[1]);
		assert_true(atomic_load(&worker.rings->heartbeat_ms) == 0);
		if (!ends_on_hold) {
			atomic_store(&worker.hold, 0);
			EVENTUALLY(atomic_load(&worker.rings->heartbeat_ms) > 0);
		}
		stop();
	}
}

TEST_WITH(an_idle_worker_sleeps_offline_and_delays_nobody, setup, teardown)
{
	atomic_store(&worker.next_epoch, &epoch[0]);
	start(POLL_ADAPTIVE);
	EVENTUALLY(atomic_load(&worker.epoch_in_use) == &epoch[0]);
	EVENTUALLY(worker.stats->counter[COUNTER_sleeps] > 20);
	EVENTUALLY(atomic_load(&worker.rings->seen_epoch) == EPOCH_OFFLINE);
	struct epoch_writer writer = {.epoch = &epoch[0], .seen = {&worker.rings->seen_epoch}};
	uint64_t e = epoch_advance(&writer);
	EVENTUALLY(epoch_passed(&writer, e));
	// A sleeping worker is not a stopped one: it still takes frames.
	atomic_store(&worker.next_tables, &tables[1]);
	EVENTUALLY(atomic_load(&worker.tables_in_use) == &tables[1]);
	stop();
}

TEST_WITH(a_busy_worker_stays_online_and_quiescent, setup, teardown)
{
	atomic_store(&worker.next_epoch, &epoch[0]);
	start(POLL_BUSY);
	EVENTUALLY(atomic_load(&worker.epoch_in_use) == &epoch[0]);
	struct epoch_writer writer = {.epoch = &epoch[0], .seen = {&worker.rings->seen_epoch}};
	for (unsigned i = 0; i < 20; i++) {
		uint64_t e = epoch_advance(&writer);
		EVENTUALLY(atomic_load(&worker.rings->seen_epoch) == e);
		assert_true(epoch_passed(&writer, e));
	}
	stop();
	assert_int_equal(worker.stats->counter[COUNTER_sleeps], 0);
}

// At the top of its loop, where it holds no reference; asleep as well.
TEST_WITH(an_evicted_worker_says_that_it_knows, setup, teardown)
{
	const struct region *r = &worker_rings.rings[0].answers[0];
	for (unsigned i = 0; i < 2; i++) {
		struct rings_cp_page cp = {.evicted = 4 + i};
		atomic_store(&worker.stop, 0);
		worker.epoch.evicted = &cp.evicted; // in place of a page that is read-only here
		atomic_store(&worker.next_epoch, &epoch[0]);
		start(i ? POLL_ADAPTIVE : POLL_BUSY);
		EVENTUALLY(atomic_load(&worker.rings->returned) == 4 + i);
		assert_int_equal(worker.stats->counter[COUNTER_evictions], 1 + i);
		stop();
		worker.epoch.evicted =
			&((const struct rings_cp_page *)(void *)(r->base + ANSWERS_CP_PAGE))
				 ->evicted;
	}
}

// By what the main lcore finds.
TEST_WITH(follows_a_suspend, setup, teardown)
{
	enum { HOUR_MS = 3600000 };
	start(POLL_ADAPTIVE);
	uint64_t before_ms = clock_mono_ms();
	EVENTUALLY(atomic_load(&worker.rings->heartbeat_ms) > before_ms);
	assert_true(atomic_load(&worker.rings->heartbeat_ms) < before_ms + HOUR_MS);
	clock_suspend_ms(HOUR_MS);
	atomic_store(&worker.suspended_ms, clock_suspended_ms(0));
	EVENTUALLY(atomic_load(&worker.rings->heartbeat_ms) > before_ms + HOUR_MS);
	stop();
	assert_true(worker.now_ms <= clock_mono_ms() + 2);
}

// What the worker made of a watch that ends so much later than now.
static bool watches_until(uint64_t more_ms)
{
	static struct worker_tables t;
	t.config.watch.until_ms = more_ms ? clock_mono_ms() + more_ms : 0;
	atomic_store(&worker.stop, 0);
	atomic_store(&worker.next_tables, &t);
	start(POLL_ADAPTIVE);
	uint64_t now_ms = clock_mono_ms();
	EVENTUALLY(atomic_load(&worker.rings->heartbeat_ms) > now_ms);
	stop();
	return worker.watching;
}

TEST_WITH(a_watch_has_an_end, setup, teardown)
{
	assert_false(watches_until(0));
	assert_true(watches_until(WATCH_SECONDS_MAX * 1000));
	assert_false(watches_until(1));
	assert_false(watches_until(2 * WATCH_SECONDS_MAX * 1000));
}
