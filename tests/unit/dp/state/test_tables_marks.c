// SPDX-License-Identifier: BSD-3-Clause

// The marks of a cache that the workers' tables take: one file for each worker.

#include "dataplane/state/tables.h"
#include "dataplane/state/worker_rings.h"
#include "tests/unit/unit.h"

#include <weir/l0_writer.h>

enum { WORKERS = 2, GENERATION = 7 };

static char dir[64], why[SHM_WHY_MAX];
static struct worker workers[WORKERS];
static struct worker *const list[WORKERS] = {&workers[0], &workers[1]};
static struct worker_rings rings = {.count = WORKERS, .resolvers = 1, .incarnation = 0xd0};
static struct tables_source source = {
	.workers = WORKERS, .worker = list, .rings = &rings, .incarnation = 0xd0};
static struct tables_set *set;

static int setup(void **)
{
	log_init("test_tables_marks", LOG_LEVEL_ERROR);
	set = calloc(1, sizeof(*set));
	return set && folder_make(dir, "marks") == 0
		       ? shm_paths_init(&source.paths, dir, "off", why)
		       : -1;
}

static int teardown(void **)
{
	tables_free(set, NULL, 0, &source);
	shm_paths_close(&source.paths);
	return folder_remove(source.paths.mem, dir);
}

static void l0_make(void)
{
	char name[SHM_NAME_MAX];
	struct region r;
	struct region_spec spec = {
		.name = name, .kind = REGION_L0, .generation = GENERATION, .incarnation = 0xc0};
	shm_name_generation(name, "l0", GENERATION);
	assert_int_equal(l0_plan(1 << 20, 2, 1, spec.geometry, &spec.data_size), 0);
	assert_int_equal(region_create(&source.paths, &spec, &r, why), 0);
	region_publish(&r);
	region_unmap(&r);
}

// As the control plane finds them.
static bool is_there(unsigned worker)
{
	char name[SHM_NAME_MAX];
	struct region r = {0};
	shm_name_marks(name, worker, GENERATION);
	bool found =
		region_attach(&source.paths, SHM_IN_MEM, name, REGION_MARKS, false, &r, why) == 0;
	region_unmap(&r);
	return found;
}

// The control plane keeps marks that it has mapped, so none may be there before all are.
TEST_WITH(test_for_all_workers_or_for_none, setup, teardown)
{
	const uint64_t word = GENERATION << 1 | SHM_IN_MEM;
	const char *path = text_from("%s/marks.1.%d", source.paths.mem, GENERATION);
	l0_make();
	assert_int_equal(mkdir(path, 0700), 0);
	assert_true(tables_take_l0(set, &source, word, why) < 0);
	assert_false(set->t.has_l0);
	assert_false(is_there(0));
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(tables_take_l0(set, &source, word, why), 0);
	assert_true(is_there(0) && is_there(1));
	assert_ptr_equal(set->t.marks[1], region_data(&set->marks[1]));
}
