// SPDX-License-Identifier: BSD-3-Clause
// A worker whose heart has stopped while another's beats is evicted: no writer waits for it, until
// it is back.
#include "controlplane/shm/publish.h"
#include "tests/unit/unit.h"

enum { WORKERS = 3, EVICT_MS = PUBLISH_EVICT_BEATS * PUBLISH_BEAT_MS };

static struct shm_paths paths;
static struct publisher *p;
static char why[SHM_WHY_MAX];
static struct rings_dp_page page[WORKERS];
static struct rings_cp_page own[WORKERS]; // the control plane's
static struct epoch_reader reader[WORKERS];
static uint64_t now_ms;

static void attach(void)
{
	const struct rings_dp_page *pages[WORKERS];
	_Atomic uint64_t *evicted[WORKERS];
	uint64_t files[WORKERS];

	for (unsigned i = 0; i < WORKERS; i++) {
		pages[i] = &page[i];
		evicted[i] = &own[i].evicted;
		files[i] = 70 + i;
		atomic_store(&page[i].answers, files[i]);
	}
	for (unsigned r = 0; r < 2; r++)
		publisher_rings(p, r, 0, pages, WORKERS); // the run that `reader` has
	publisher_evicts(p, evicted, files, WORKERS);
}

static int setup(void **)
{
	char run[FOLDER_MAX];
	struct config config = {.cache.l0_mb = 1, .controlplane.resolvers = 2};

	log_init("test_publish_evict", (enum log_level)0); // what hangs is the point here
	if (folder_make(run, "evict") || shm_paths_init(&paths, run, "off", why)
		|| publisher_open(&p, &paths, &config, why))
		return -1;
	now_ms = 100000;
	for (unsigned i = 0; i < WORKERS; i++) {
		page[i] = (struct rings_dp_page){.seen_epoch = EPOCH_OFFLINE};
		own[i] = (struct rings_cp_page){0};
		reader[i] = (struct epoch_reader){.epoch = &publisher_directory(p)->epoch,
			.seen = &page[i].seen_epoch,
			.evicted = &own[i].evicted,
			.returned = &page[i].returned};
		epoch_online(&reader[i]);
	}
	attach();
	return 0;
}

static int teardown(void **)
{
	publisher_close(p);
	shm_paths_close(&paths);
	return folder_remove(paths.run, paths.mem);
}

// For so long these beat, one bit each, and the resolver.
static void run(uint64_t ms, unsigned beating)
{
	for (const uint64_t end_ms = now_ms + ms; now_ms < end_ms;) {
		now_ms += PUBLISH_BEAT_MS;
		for (unsigned i = 0; i < WORKERS; i++)
			if (beating >> i & 1)
				atomic_store(&page[i].heartbeat_ms, now_ms);
		publisher_heartbeat(p, now_ms);
	}
}

static unsigned evicted_now(void)
{
	struct publish_status s;
	publish_status(p, &s);
	return s.workers_evicted;
}

// Of both resolvers, once all but the stuck worker have been quiescent.
static bool both_reuse(unsigned stuck)
{
	bool passed = true;
	for (unsigned r = 0; r < 2; r++) {
		uint64_t e = epoch_advance(publisher_epoch(p, r));
		for (unsigned i = 0; i < WORKERS; i++)
			if (i != stuck)
				epoch_quiescent(&reader[i]);
		passed &= epoch_passed(publisher_epoch(p, r), e);
	}
	return passed;
}

TEST_WITH(test_writers_go_on, setup, teardown)
{
	run(1000, 7);
	assert_false(both_reuse(1));
	run(EVICT_MS - PUBLISH_BEAT_MS, 5);
	assert_int_equal(evicted_now(), 0);
	assert_false(both_reuse(1));
	run(PUBLISH_BEAT_MS, 5);
	assert_int_equal(evicted_now(), 1);
	assert_true(publisher_is_out(p, 1));
	assert_int_equal(own[1].evicted, 1);
	assert_int_equal(own[0].evicted + own[2].evicted, 0);
	assert_true(both_reuse(1));
	assert_false(both_reuse(0)); // another one still counts
	run(EVICT_MS, 5);
	assert_int_equal(own[1].evicted, 1); // once
}

TEST_WITH(test_it_counts_again_once_it_is_back, setup, teardown)
{
	run(1000, 7);
	run(EVICT_MS, 5);
	assert_true(both_reuse(1));
	// What it does in the rest of its batch is of no use, and it finds that out.
	assert_true(epoch_is_evicted(&reader[1]));
	run(PUBLISH_BEAT_MS, 7);
	assert_int_equal(evicted_now(), 1); // it beats, but has not said that it knows
	epoch_return(&reader[1]);
	assert_false(epoch_is_evicted(&reader[1]));
	assert_false(both_reuse(1)); // at once
	run(PUBLISH_BEAT_MS, 7);
	assert_int_equal(evicted_now(), 0);
	// A damaged word does not put it out again.
	atomic_store(&page[1].returned, 0);
	assert_false(both_reuse(1));
	epoch_quiescent(&reader[1]);
	assert_true(both_reuse(WORKERS));
	run(EVICT_MS, 5);
	assert_int_equal(own[1].evicted, 2);
	assert_true(both_reuse(1));
}

// What a worker does at the top of its loop.
static void beat_and_return(unsigned ms)
{
	for (unsigned i = 0; i < ms; i += PUBLISH_BEAT_MS) {
		if (epoch_is_evicted(&reader[1]))
			epoch_return(&reader[1]);
		run(PUBLISH_BEAT_MS, 7);
	}
}

TEST_WITH(test_damaged_words_heal, setup, teardown)
{
	run(1000, 7);
	run(EVICT_MS, 5);
	atomic_store(&own[1].evicted, 1 << 7 | 1);
	beat_and_return(3 * PUBLISH_BEAT_MS);
	assert_int_equal(evicted_now(), 0);
	assert_int_equal(own[1].evicted, 1);
	run(EVICT_MS, 5);
	assert_int_equal(evicted_now(), 1);
	epoch_return(&reader[1]);
	atomic_store(&page[1].returned, 1 << 7 | 2);
	beat_and_return(EVICT_MS - PUBLISH_BEAT_MS);
	assert_int_equal(evicted_now(), 1);
	beat_and_return(3 * PUBLISH_BEAT_MS);
	assert_int_equal(evicted_now(), 0);
	assert_int_equal(own[1].evicted, 3);
	assert_false(both_reuse(1)); // it counts
}

TEST_WITH(test_a_stop_of_all_evicts_nobody, setup, teardown)
{
	run(1000, 7);
	run(3 * EVICT_MS, 0); // the data plane is stopped
	assert_int_equal(evicted_now(), 0);
	run(PUBLISH_BEAT_MS, 5); // not all beat at once when it goes on
	assert_int_equal(evicted_now(), 0);
	run(1000, 7);
	now_ms += 100 * EVICT_MS; // this process was, or the machine
	run(EVICT_MS - PUBLISH_BEAT_MS, 5);
	assert_int_equal(evicted_now(), 0);
	run(2 * PUBLISH_BEAT_MS, 5);
	assert_int_equal(evicted_now(), 1);
}

TEST_WITH(test_before_its_first_heartbeat, setup, teardown)
{
	run(3 * EVICT_MS, 5);
	assert_int_equal(evicted_now(), 0);
}

// A successor begins strictly; the words go on from where they are.
TEST_WITH(test_a_new_control_plane, setup, teardown)
{
	run(1000, 7);
	run(EVICT_MS, 5);
	publisher_no_rings(p, 0);
	assert_false(publisher_is_out(p, 1));
	attach();
	assert_false(both_reuse(1));
	run(PUBLISH_BEAT_MS + EVICT_MS, 5);
	assert_int_equal(own[1].evicted, 2);
	assert_true(both_reuse(1));
	epoch_return(&reader[1]);
	assert_false(both_reuse(1));
}

static int publish_image(void)
{
	static const char image[5000] = "image";
	const struct region_fill fill = {.len = sizeof(image), .from = image};
	struct rule_image_region *r;

	assert_int_equal(publish_rules_prepare(p, &fill, &r, why), 0);
	int rc = publish_rules_publish(p, r);
	if (rc < 0)
		publish_rules_discard(p, r);
	return rc;
}

TEST_WITH(test_images_go_on_without_it, setup, teardown)
{
	struct publish_status s;
	unsigned generation = 0;

	run(1000, 7);
	for (; publish_image() == 0; generation++)
		for (unsigned i = 0; i < WORKERS; i++)
			if (i != 1)
				atomic_store(&page[i].activated_rules, generation + 1);
	assert_int_equal(generation, 3); // the current one and two old ones
	run(EVICT_MS, 5);
	publish_status(p, &s);
	assert_int_equal(s.retired_waiting, 0);
	assert_int_equal(s.rules_lag_ms, 0);
	assert_int_equal(publish_image(), 0);
	run(300, 5);
	publish_status(p, &s);
	assert_true(s.rules_lag_ms > 0); // of the others
}
