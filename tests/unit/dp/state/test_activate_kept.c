// SPDX-License-Identifier: BSD-3-Clause

// Activation beside a worker that is stuck: the others go on, and what it may still be using stays.

#include "dataplane/state/activate.h"
#include "dataplane/state/worker_rings.h"
#include "directory.h"

enum { WORKERS = 3, POLL_MS = 10 };

static char dir[FOLDER_MAX], why[SHM_WHY_MAX];
static struct shm_paths paths;
static struct activate activate;
static struct worker workers[WORKERS];
static struct worker *const list[WORKERS] = {&workers[0], &workers[1], &workers[2]};
static struct rings_dp_page pages[WORKERS];
static struct worker_rings rings;
static struct stats_region stats;
static struct region directory_region;
static struct directory *directory;
static uint64_t now_ms;

static void make_directory(void)
{
	directory = directory_make(&directory_region, &paths, 0xc0, &rings.reader);
}

static int setup(void **)
{
	const struct dp_config defaults = {.udp_limit = 1232};
	log_init("test_activate_kept", LOG_LEVEL_ERROR);
	if (folder_make(dir, "kept") || shm_paths_init(&paths, dir, "off", why))
		return -1;
	memset(workers, 0, sizeof(workers));
	memset(pages, 0, sizeof(pages));
	for (unsigned i = 0; i < WORKERS; i++)
		workers[i].rings = &pages[i];
	now_ms = 1000;
	rings = (struct worker_rings){.count = WORKERS, .resolvers = 1, .incarnation = 0xd0};
	if (worker_rings_reader_open(&rings, &paths, why))
		return -1;
	make_directory();
	return activate_init(&activate, &paths, list, &rings, &defaults, &stats);
}

static int teardown(void **)
{
	activate_close(&activate);
	region_unmap(&directory_region);
	region_unmap(&rings.reader);
	shm_paths_close(&paths);
	return folder_remove(paths.mem, dir);
}

// What worker_main does at the top of its loop.
static void take(unsigned i)
{
	struct worker *w = &workers[i];
	w->tables = atomic_load(&w->next_tables);
	atomic_store(&w->tables_in_use, w->tables);
	atomic_store(&w->epoch_in_use, atomic_load(&w->next_epoch));
	atomic_store(&pages[i].heartbeat_ms, now_ms);
}

// For so long the main lcore polls, and these workers run, one bit each.
static void run(uint64_t ms, unsigned running)
{
	for (const uint64_t end_ms = now_ms + ms; now_ms < end_ms;) {
		now_ms += POLL_MS;
		activate_poll(&activate, now_ms);
		for (unsigned i = 0; i < WORKERS; i++)
			if (running >> i & 1)
				take(i);
	}
}

static void serve_l0(uint64_t generation)
{
	char name[SHM_NAME_MAX];
	struct region r;
	struct region_spec spec = {
		.name = name, .kind = REGION_L0, .generation = generation, .incarnation = 0xc0};
	shm_name_generation(name, "l0", generation);
	assert_int_equal(l0_plan(1 << 20, 2, 1, spec.geometry, &spec.data_size), 0);
	assert_int_equal(region_create(&paths, &spec, &r, why), 0);
	region_publish(&r);
	region_unmap(&r);
	atomic_store(&directory->current[REGION_L0], generation << 1 | SHM_IN_MEM);
}

// All that a worker may touch of its tables is mapped, and is of this generation.
static void check_whole(const struct worker_tables *t, unsigned generation)
{
	assert_int_equal(t->l0_generation, generation);
	assert_int_equal(t->l0.units[64], 0);
	for (unsigned i = 0; i < WORKERS; i++)
		atomic_store(&t->marks[i][7], MARK_VISITED);
}

TEST_WITH(others_go_on_and_it_comes_back, setup, teardown)
{
	serve_l0(1);
	activate_link(&activate, true);
	run(500, 7);
	const struct worker_tables *old = workers[1].tables;
	serve_l0(2);
	run(ACTIVATE_STUCK_MS - 100, 5);
	assert_int_equal(pages[0].activated_l0, 1); // it may only be late
	run(200, 5);
	for (unsigned generation = 3; generation < 7; generation++) {
		assert_int_equal(workers[0].tables->l0_generation, generation - 1);
		assert_int_equal(pages[2].activated_l0, generation - 1);
		assert_int_equal(stats.l0_generation, generation - 1);
		assert_int_equal(pages[1].activated_l0, 1);
		check_whole(old, 1);
		// Handed to it before it was known to be stuck, so it may be on its way there.
		check_whole(atomic_load(&workers[1].next_tables), 2);
		serve_l0(generation);
		run(100, 5);
	}
	assert_int_equal(activate.kept_count, 2);
	take(1);
	assert_int_equal(workers[1].tables->l0_generation, 2);
	check_whole(workers[1].tables, 2);
	run(100, 7);
	assert_int_equal(workers[1].tables->l0_generation, 6);
	assert_int_equal(pages[1].activated_l0, 6);
	assert_int_equal(activate.kept_count, 0);
}

// Several at a time, stuck in different tables: no more is kept than is allowed for.
TEST_WITH(what_is_kept_is_bounded, setup, teardown)
{
	serve_l0(1);
	run(500, 7);
	serve_l0(2);
	run(ACTIVATE_STUCK_MS + 100, 5);
	assert_int_equal(workers[0].tables->l0_generation, 2);
	serve_l0(3);
	run(100, 5);
	assert_int_equal(workers[0].tables->l0_generation, 3);
	serve_l0(4); // the second one stops before it, and holds 3, and 4 when it is handed out
	run(ACTIVATE_STUCK_MS + 300, 1);
	assert_int_equal(activate.kept_count, ACTIVATE_KEPT_MAX);
	serve_l0(5);
	run(500, 1);
	assert_int_equal(workers[0].tables->l0_generation, 4); // waits
	check_whole(workers[1].tables, 1);
	check_whole(workers[2].tables, 3);
	run(200, 3);
	assert_int_equal(workers[0].tables->l0_generation, 5);
	run(200, 7);
	assert_int_equal(workers[2].tables->l0_generation, 5);
	assert_int_equal(activate.kept_count, 0);
}

TEST_WITH(a_stop_of_all_is_waited_for, setup, teardown)
{
	serve_l0(1);
	run(500, 7);
	serve_l0(2);
	run(3 * ACTIVATE_STUCK_MS, 0);
	assert_int_equal(stats.l0_generation, 1);
	now_ms += 10 * ACTIVATE_STUCK_MS; // and this lcore's
	run(ACTIVATE_STUCK_MS / 2, 5);
	assert_int_equal(stats.l0_generation, 1);
	run(ACTIVATE_STUCK_MS, 5);
	assert_int_equal(stats.l0_generation, 2);
}

// Closed while a worker is stuck: all that is kept goes, once.
TEST_WITH(the_end_beside_a_stuck_worker, setup, teardown)
{
	serve_l0(1);
	run(500, 7);
	for (unsigned generation = 2; generation < 5; generation++) {
		serve_l0(generation);
		run(ACTIVATE_STUCK_MS + 200, 5);
	}
	assert_int_equal(activate.kept_count, 2);
}
