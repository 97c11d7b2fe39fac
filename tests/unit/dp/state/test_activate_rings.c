// SPDX-License-Identifier: BSD-3-Clause

// A cache of several resolvers, and no room for the rings of all: it is used all the same, and the
// rings are tried again.

#include "dataplane/state/activate.h"
#include "dataplane/state/worker_rings.h"
#include "directory.h"

#include <weir/l0_writer.h>

enum { WORKERS = 2, RESOLVERS = 3 };

static char dir[64], why[SHM_WHY_MAX], blocked[2 * SHM_PATH_MAX];
static struct shm_paths paths;
static struct activate activate;
static struct worker workers[WORKERS] = {{.index = 0}, {.index = 1}};
static struct worker *const list[WORKERS] = {&workers[0], &workers[1]};
static struct worker_rings rings;
static struct region directory_region;
static struct directory *directory;
static uint64_t now_ms = 1000;

static int setup(void **)
{
	const struct dp_config defaults = {.udp_limit = 1232};
	const struct rings_spec_all spec = {
		.workers = WORKERS, .incarnation = 0xd0, .group = "", .stats_group = ""};
	log_init("test_activate_rings", (enum log_level)0); // what fails is the point here
	if (folder_make(dir, "rings") || shm_paths_init(&paths, dir, "off", why)
		|| worker_rings_create(&rings, &paths, &spec, why))
		return -1;
	for (unsigned i = 0; i < WORKERS; i++)
		worker_rings_bind(&rings, list[i]);
	return activate_init(
		&activate, &paths, list, &rings, &defaults, worker_rings_stats(&rings));
}

static int teardown(void **)
{
	activate_close(&activate);
	worker_rings_close(&rings);
	region_unmap(&directory_region);
	shm_paths_close(&paths);
	return folder_remove(paths.mem, dir);
}

// Polls and turns of the workers until everything has settled.
static void settle(void)
{
	for (unsigned i = 0; i < 12; i++) {
		activate_poll(&activate, now_ms += 10);
		for (unsigned k = 0; k < WORKERS; k++) {
			struct worker *w = list[k];
			w->tables = atomic_load(&w->next_tables);
			atomic_store(&w->tables_in_use, w->tables);
			atomic_store(&w->epoch_in_use, atomic_load(&w->next_epoch));
		}
	}
}

static void serve_l0(void)
{
	struct region r;
	struct region_spec spec = {
		.name = "l0.1", .kind = REGION_L0, .generation = 1, .incarnation = 0xc0};
	directory = directory_make(&directory_region, &paths, 0xc0, &rings.reader);
	assert_int_equal(l0_plan(1 << 20, 2, RESOLVERS, spec.geometry, &spec.data_size), 0);
	assert_int_equal(region_create(&paths, &spec, &r, why), 0);
	region_publish(&r);
	region_unmap(&r);
	atomic_store(&directory->current[REGION_L0], 1 << 1 | SHM_IN_MEM);
}

static uint64_t life(void)
{
	return atomic_load(&((struct reader_page *)region_data(&rings.reader))->life);
}

// One that runs and has not mapped our word could reuse what the workers read.
TEST_WITH(a_control_plane_that_does_not_see_us_is_waited_for, setup, teardown)
{
	int lock = process_lock(text_from("%s/" SHM_NAME_CONTROL_LOCK, paths.run));
	assert_true(lock >= 0);
	serve_l0();
	uint64_t file = atomic_exchange(&directory->reader_file, 0);
	settle();
	assert_false(workers[0].tables->has_l0);
	assert_int_equal(life(), 0xd0); // for the control plane to find
	atomic_store(&directory->reader_file, file);
	now_ms += ACTIVATE_RETRY_MS;
	settle();
	assert_true(workers[0].tables->has_l0);
	close(lock);
}

// The next one finds the file.
TEST_WITH(a_control_plane_that_does_not_run_is_not_waited_for, setup, teardown)
{
	int lock = process_lock(text_from("%s/" SHM_NAME_CONTROL_LOCK, paths.run));
	assert_true(lock >= 0);
	close(lock);
	serve_l0();
	atomic_store(&directory->reader_file, 0);
	settle();
	assert_true(workers[0].tables->has_l0);
}

TEST_WITH(the_word_is_back_when_its_file_was_deleted, setup, teardown)
{
	const uint64_t file = region_header_of(&rings.reader)->incarnation;
	worker_rings_announce(&rings);
	worker_rings_reader_check(&rings, &paths);
	assert_int_equal(region_header_of(&rings.reader)->incarnation, file);
	assert_int_equal(region_unlink(&paths, SHM_IN_MEM, "reader"), 0);
	worker_rings_reader_check(&rings, &paths);
	assert_int_not_equal(region_header_of(&rings.reader)->incarnation, file);
	assert_int_equal(life(), 0xd0); // this run may be reading
}

TEST_WITH(with_few_rings_the_cache_is_used, setup, teardown)
{
	snprintf(blocked, sizeof(blocked), "%s/rings.1.2", paths.mem);
	assert_int_equal(mkdir(blocked, 0700), 0);
	serve_l0();
	settle();
	assert_true(workers[0].tables->has_l0);
	assert_int_equal(workers[0].tables->l0.resolvers, RESOLVERS - 1);
	assert_int_equal(rings.resolvers, RESOLVERS - 1);
	// Another change does not hide the lack.
	assert_int_equal(rmdir(blocked), 0);
	atomic_store(&directory->config_generation, 1);
	directory->config[1] = (struct dp_config){.udp_limit = 700};
	settle();
	assert_int_equal(workers[0].tables->config.udp_limit, 700);
	assert_int_equal(workers[0].tables->l0.resolvers, RESOLVERS - 1);
	now_ms += ACTIVATE_REFUSED_MS;
	settle();
	assert_int_equal(workers[1].tables->l0.resolvers, RESOLVERS);
	assert_int_equal(rings.resolvers, RESOLVERS);
	assert_int_equal(workers[1].tables->config.udp_limit, 700);
}
