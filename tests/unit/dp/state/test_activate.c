// SPDX-License-Identifier: BSD-3-Clause

// Activation with real regions: this test is the control plane that makes them and the workers that
// take them.

#include "dataplane/state/activate.h"
#include "dataplane/state/worker_rings.h"
#include "directory.h"

enum { WORKERS = 2 };

static char dir[64];
static char why[SHM_WHY_MAX];
static struct shm_paths paths;
static struct activate activate;
static struct worker workers[WORKERS];
static struct worker *const worker_list[WORKERS] = {&workers[0], &workers[1]};
static struct rings_dp_page pages[WORKERS];
static struct worker_rings rings;
static struct stats_region stats;
static struct region directory_region;
static struct directory *directory;
static uint64_t now_ms;
#define LIFE ((struct reader_page *)region_data(&rings.reader))

static int setup(void **)
{
	log_init("test_activate", (enum log_level)0); // refusals are the point here
	if (folder_make(dir, "activate") || shm_paths_init(&paths, dir, "off", why))
		return -1;
	memset(workers, 0, sizeof(workers));
	memset(pages, 0, sizeof(pages));
	memset(&stats, 0, sizeof(stats));
	for (unsigned i = 0; i < WORKERS; i++)
		workers[i].rings = &pages[i];
	now_ms = 1000;
	const struct dp_config defaults = {.udp_limit = 1232, .block.ttl_s = 7};
	rings = (struct worker_rings){.count = WORKERS, .resolvers = 1, .incarnation = 0xd0};
	if (worker_rings_reader_open(&rings, &paths, why))
		return -1;
	return activate_init(&activate, &paths, worker_list, &rings, &defaults, &stats);
}

static int teardown(void **)
{
	activate_close(&activate);
	region_unmap(&directory_region);
	region_unmap(&rings.reader);
	directory = NULL;
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
}

static void poll_once(void)
{
	now_ms += 10;
	activate_poll(&activate, now_ms);
}

// Polls and turns of all workers until everything has settled.
static void settle(void)
{
	for (unsigned i = 0; i < 12; i++) {
		poll_once();
		for (unsigned k = 0; k < WORKERS; k++)
			take(k);
	}
	poll_once();
}

static void link_settled(bool is_up)
{
	activate_link(&activate, is_up);
	settle();
}

static void make_directory(uint64_t incarnation)
{
	directory = directory_make(&directory_region, &paths, incarnation, &rings.reader);
}

// An empty table; `damage`: one whose geometry lies.
static void make_l0(uint64_t generation, uint64_t incarnation, bool damage)
{
	char name[SHM_NAME_MAX];
	struct region r;
	struct region_spec spec = {.name = name,
		.kind = REGION_L0,
		.generation = generation,
		.incarnation = incarnation};
	shm_name_generation(name, "l0", generation);
	assert_int_equal(l0_plan(1 << 20, 2, 1, spec.geometry, &spec.data_size), 0);
	if (damage)
		spec.geometry[1] *= 2;
	assert_int_equal(region_create(&paths, &spec, &r, why), 0);
	region_publish(&r);
	region_unmap(&r);
}

static void publish_l0(uint64_t generation)
{
	atomic_store(&directory->current[REGION_L0], generation << 1 | SHM_IN_MEM);
}

// A good one, and the current one.
static void serve_l0(uint64_t generation, uint64_t incarnation)
{
	make_l0(generation, incarnation, false);
	publish_l0(generation);
}

static void begin_with_l0(uint64_t generation)
{
	make_directory(0xc0);
	serve_l0(generation, 0xc0);
}

static void publish_config(uint64_t generation, uint16_t udp_limit)
{
	directory->config[generation % DIRECTORY_CONFIG_SLOTS] =
		(struct dp_config){.udp_limit = udp_limit};
	atomic_store(&directory->config_generation, generation);
}

static bool exists(const char *name)
{
	return access(text_from("%s/%s", paths.mem, name), F_OK) == 0;
}

// A control plane that is there and does not answer, since it is stopped, is not waited for. It
// must find the word that someone reads.
TEST_WITH(a_silent_control_planes_cache_is_served, setup, teardown)
{
	const char *path = text_from("%s/" SHM_NAME_CONTROL_LOCK, paths.run);
	begin_with_l0(1);
	int lock = process_lock(path);
	assert_true(lock >= 0);
	atomic_store(&LIFE->life, 0xd9); // of a life before
	take(0);
	take(1);
	poll_once();
	assert_int_equal(atomic_load(&LIFE->life), 0xd0);
	assert_null(atomic_load(&workers[0].epoch_in_use)); // before any worker reads
	settle();
	assert_int_equal(workers[0].tables->l0_generation, 1);
	atomic_store(&LIFE->life, 0xd0 ^ 4);
	poll_once();
	assert_int_equal(atomic_load(&LIFE->life), 0xd0);
	close(lock);
}

// Until workers have the tables of what lies there, or there is nothing.
TEST_WITH(settled_once_workers_have_it, setup, teardown)
{
	assert_false(activate_is_settled(&activate));
	settle();
	assert_true(activate_is_settled(&activate));
	begin_with_l0(1);
	for (unsigned polls = 0; workers[0].tables->l0_generation == 0; polls++) {
		assert_true(polls < 20);
		now_ms += ACTIVATE_RETRY_MS;
		activate_poll(&activate, now_ms);
		assert_false(activate_is_settled(&activate));
		take(0);
		take(1);
	}
	poll_once();
	assert_true(activate_is_settled(&activate));
}

static void next_life(unsigned count)
{
	const struct dp_config defaults = {.udp_limit = 1232};
	activate_close(&activate);
	rings.count = count;
	rings.incarnation = 0xd1;
	memset(workers, 0, sizeof(workers));
	for (unsigned i = 0; i < WORKERS; i++)
		workers[i].rings = &pages[i];
	assert_int_equal(
		activate_init(&activate, &paths, worker_list, &rings, &defaults, &stats), 0);
}

TEST_WITH(a_later_life_goes_on_with_the_visits, setup, teardown)
{
	begin_with_l0(3);
	settle();
	atomic_store(&workers[0].tables->marks[0][5], MARK_VISITED);
	atomic_store(&workers[0].tables->marks[0][6], MARK_REFRESH);
	atomic_store(&workers[0].tables->marks[1][7], MARK_VISITED | MARK_REFRESH);
	next_life(WORKERS);
	settle();
	assert_true(workers[0].tables->has_l0);
	const _Atomic uint8_t *const *marks =
		(const _Atomic uint8_t *const *)workers[0].tables->marks;
	assert_int_equal(atomic_load(&marks[0][5]), MARK_VISITED);
	assert_int_equal(atomic_load(&marks[0][6]), 0);
	assert_int_equal(atomic_load(&marks[0][7]), 0);
	assert_int_equal(atomic_load(&marks[1][7]), MARK_VISITED);
	// A worker less, then another table.
	next_life(1);
	settle();
	assert_true(exists("marks.0.3"));
	assert_false(exists("marks.1.3"));
	serve_l0(4, 0xc0);
	next_life(WORKERS);
	settle();
	assert_false(exists("marks.0.3"));
	assert_int_equal(atomic_load(&workers[0].tables->marks[0][5]), 0);
}

TEST_WITH(without_a_directory_there_are_empty_tables, setup, teardown)
{
	settle();
	const struct worker_tables *t = workers[0].tables;
	assert_non_null(t);
	assert_ptr_equal(t, workers[1].tables);
	assert_false(t->has_l0 || t->has_rules);
	assert_true(t->is_closed);
	assert_int_equal(t->config.block.ttl_s, 7);
	assert_null(atomic_load(&workers[0].epoch_in_use));
	assert_true(activate_heartbeat_age_ms(&activate, now_ms) == UINT64_MAX);
}

TEST_WITH(a_dead_control_planes_cache_is_served, setup, teardown)
{
	begin_with_l0(3);
	settle();
	assert_true(workers[1].tables->has_l0);
	assert_true(workers[1].tables->is_closed); // without a policy image, for nobody yet
	assert_int_equal(workers[1].tables->l0_generation, 3);
	assert_non_null(atomic_load(&workers[0].epoch_in_use));
	assert_int_equal(stats.l0_generation, 3);
	// Each worker has marks of its own, one byte per unit, there before it uses the table.
	for (unsigned i = 0; i < WORKERS; i++) {
		char name[SHM_NAME_MAX];
		shm_name_marks(name, i, 3);
		struct region r;
		assert_int_equal(
			region_attach(&paths, SHM_IN_MEM, name, REGION_MARKS, false, &r, why), 0);
		assert_int_equal(region_header_of(&r)->index, i);
		assert_int_equal(region_header_of(&r)->generation, 3);
		assert_int_equal(
			region_header_of(&r)->geometry[0], workers[0].tables->l0.unit_count);
		atomic_store(&workers[0].tables->marks[i][5], MARK_VISITED);
		assert_int_equal(((const uint8_t *)region_data(&r))[5], MARK_VISITED);
		region_unmap(&r);
	}
	// Nobody listens, so nobody is told.
	assert_int_equal(pages[0].activated_l0, 0);
	link_settled(true);
	assert_int_equal(pages[0].activated_l0, 3);
	assert_int_equal(pages[1].activated_l0, 3);
	activate_link(&activate, false);
	assert_int_equal(pages[0].activated_l0, 0);
	assert_true(workers[0].tables->has_l0);
}

TEST_WITH(the_old_goes_only_when_every_worker_left_it, setup, teardown)
{
	begin_with_l0(1);
	link_settled(true);
	const struct worker_tables *old = workers[0].tables;
	serve_l0(2, 0xc0);
	poll_once();
	assert_int_equal(atomic_load(&workers[0].next_tables)->l0_generation, 2);
	take(0);
	for (unsigned i = 0; i < 50; i++)
		poll_once();
	// Worker 1 is stuck in the old one: still mapped, its marks still there, nothing told.
	assert_ptr_equal(workers[1].tables, old);
	assert_int_equal(old->l0_generation, 1);
	assert_int_equal(atomic_load(&old->marks[1][0]), 0);
	assert_true(exists("marks.1.1"));
	assert_int_equal(pages[0].activated_l0, 1);
	// And what comes meanwhile waits.
	serve_l0(3, 0xc0);
	poll_once();
	assert_int_equal(atomic_load(&workers[0].next_tables)->l0_generation, 2);
	take(1);
	settle();
	assert_int_equal(workers[1].tables->l0_generation, 3);
	assert_int_equal(pages[1].activated_l0, 3);
	assert_false(exists("marks.1.1"));
	assert_true(exists("marks.1.3"));
}

TEST_WITH(settings_alone_keep_the_tables, setup, teardown)
{
	begin_with_l0(1);
	publish_config(1, 1400);
	settle();
	assert_int_equal(workers[0].tables->config.udp_limit, 1400);
	const uint8_t *units = workers[0].tables->l0.units;
	publish_config(2, 600);
	settle();
	assert_int_equal(workers[0].tables->config.udp_limit, 600);
	assert_int_equal(workers[0].tables->config_generation, 2);
	assert_ptr_equal(workers[0].tables->l0.units, units);
	// Still mapped, not only still pointed at.
	assert_int_equal(units[64], 0);
	assert_true(exists("marks.0.1"));
}

TEST_WITH(what_fails_its_checks_is_refused, setup, teardown)
{
	begin_with_l0(1);
	publish_config(1, 1400);
	link_settled(true);
	make_l0(2, 0xc0, true);
	publish_l0(2);
	publish_config(2, 100);
	atomic_store(&directory->current[REGION_RULE_IMAGE], 9 << 1);
	settle();
	assert_int_equal(workers[0].tables->l0_generation, 1);
	assert_int_equal(workers[0].tables->config.udp_limit, 1400);
	assert_false(workers[0].tables->has_rules);
	assert_int_equal(pages[0].activated_l0, 1);
	// A later good one is taken at once, the refused one again after a while.
	publish_config(3, 1300);
	settle();
	assert_int_equal(workers[0].tables->config.udp_limit, 1300);
	make_l0(2, 0xc0, false);
	settle();
	assert_int_equal(workers[0].tables->l0_generation, 1);
	now_ms += ACTIVATE_REFUSED_MS;
	settle();
	assert_int_equal(workers[0].tables->l0_generation, 2);
}

TEST_WITH(an_image_of_zeros_is_refused, setup, teardown)
{
	const struct region_spec spec = {.name = "rule_image.1",
		.kind = REGION_RULE_IMAGE,
		.generation = 1,
		.incarnation = 0xc0,
		.data_size = 8192};
	struct region r;
	make_directory(0xc0);
	assert_int_equal(region_create(&paths, &spec, &r, why), 0);
	region_publish(&r);
	region_unmap(&r);
	atomic_store(&directory->current[REGION_RULE_IMAGE], 1 << 1);
	settle();
	assert_false(workers[0].tables->has_rules);
	assert_int_equal(workers[0].tables->rule_image_generation, 0);
}

TEST_WITH(a_file_under_a_false_name_is_refused, setup, teardown)
{
	make_directory(0xc0);
	make_l0(1, 0xc0, false);
	const char *from = text_from("%s/l0.1", paths.mem);
	assert_int_equal(rename(from, text_from("%s/l0.2", paths.mem)), 0);
	publish_l0(2);
	settle();
	assert_false(workers[0].tables->has_l0);
}

TEST_WITH(a_restarted_control_planes_same_table_stays, setup, teardown)
{
	begin_with_l0(1);
	link_settled(true);
	const uint8_t *units = workers[0].tables->l0.units;
	const _Atomic uint64_t *epoch = atomic_load(&workers[0].epoch_in_use);
	link_settled(false);
	assert_int_equal(stats.l0_generation, 1);
	activate_link(&activate, true);
	assert_int_equal(stats.l0_generation, 0); // until it is known to be this one's too
	settle();
	assert_ptr_equal(workers[0].tables->l0.units, units);
	assert_ptr_equal(atomic_load(&workers[0].epoch_in_use), epoch);
	assert_int_equal(pages[0].activated_l0, 1);
	assert_int_equal(stats.l0_generation, 1);
}

// The same generation number, but all of it made anew: another directory, another table.
TEST_WITH(a_control_plane_that_starts_afresh_is_followed, setup, teardown)
{
	begin_with_l0(1);
	link_settled(true);
	const struct worker_tables *old = workers[0].tables;
	const _Atomic uint64_t *epoch = atomic_load(&workers[0].epoch_in_use);
	activate_link(&activate, false);
	make_directory(0xc1);
	link_settled(true);
	// Nothing published yet: the orphaned table still answers.
	assert_true(workers[0].tables->has_l0);
	assert_ptr_not_equal(atomic_load(&workers[0].epoch_in_use), epoch);
	serve_l0(1, 0xc1);
	atomic_store(&directory->heartbeat_ms, now_ms - 40);
	link_settled(true);
	assert_ptr_not_equal(workers[0].tables, old);
	assert_int_equal(workers[0].tables->l0_generation, 1);
	assert_int_equal(pages[1].activated_l0, 1);
	assert_true(exists("marks.0.1"));
	assert_true(activate_heartbeat_age_ms(&activate, now_ms) < 1000);
}

// Everything made anew, and published only after the link was up again, under the numbers that the
// last life used: a number alone does not make it the same.
TEST_WITH(a_later_one_of_the_same_number_is_taken, setup, teardown)
{
	begin_with_l0(1);
	publish_config(1, 1400);
	link_settled(true);
	const uint8_t *units = workers[0].tables->l0.units;
	assert_int_equal(workers[0].tables->config.udp_limit, 1400);
	activate_link(&activate, false);
	make_directory(0xc1);
	link_settled(true);
	assert_ptr_equal(workers[0].tables->l0.units, units);
	serve_l0(1, 0xc1);
	settle();
	assert_ptr_not_equal(workers[0].tables->l0.units, units);
	publish_config(1, 700);
	settle();
	assert_int_equal(workers[0].tables->config.udp_limit, 700);
}

TEST_WITH(a_stuck_worker_keeps_the_old_directory_mapped, setup, teardown)
{
	make_directory(0xc0);
	link_settled(true);
	const _Atomic uint64_t *epoch = atomic_load(&workers[1].epoch_in_use);
	make_directory(0xc1);
	atomic_store(&directory->epoch, 44);
	activate_link(&activate, true);
	for (unsigned i = 0; i < 20; i++) {
		poll_once();
		take(0);
	}
	assert_int_equal(atomic_load(atomic_load(&workers[0].epoch_in_use)), 44);
	assert_int_equal(atomic_load(epoch), 1);
	settle();
	assert_int_equal(atomic_load(atomic_load(&workers[1].epoch_in_use)), 44);
}
