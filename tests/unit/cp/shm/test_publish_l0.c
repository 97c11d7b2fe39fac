// SPDX-License-Identifier: BSD-3-Clause
// A cache for another number of resolvers that cannot be made beside the one that is there.
#include "controlplane/shm/publish.h"
#include "tests/unit/unit.h"

static struct shm_paths paths;
static struct config config;
static struct publisher *p;
static char why[SHM_WHY_MAX], blocked[SHM_PATH_MAX + 16];

// A life with this number of resolvers, whose cache is published.
static void life(unsigned resolvers)
{
	config.controlplane.resolvers = resolvers;
	if (publisher_open(&p, &paths, &config, why) < 0)
		fail_msg("publisher_open: %s", why);
	publish_l0(p);
}

static int setup(void **)
{
	char run[FOLDER_MAX];

	log_init("test_publish_l0", (enum log_level)0); // what cannot be made is the point here
	assert_int_equal(folder_make(run, "publish_l0"), 0);
	assert_int_equal(shm_paths_init(&paths, run, "off", why), 0);
	config = (struct config){.cache.l0_mb = 1};
	life(1);
	publisher_close(p);
	p = NULL;
	snprintf(blocked, sizeof(blocked), "%s/l0.2", paths.mem);
	return mkdir(blocked, 0700);
}

static int teardown(void **)
{
	publisher_close(p);
	rmdir(blocked);
	shm_paths_close(&paths);
	return folder_remove(paths.run, paths.mem);
}

static uint64_t cache_there(bool *fresh)
{
	struct region l0;
	publisher_l0(p, &l0, fresh);
	return region_header_of(&l0)->generation;
}

TEST_WITH(test_the_number_stays, setup, teardown)
{
	bool fresh;

	life(4);
	assert_int_equal(publisher_resolvers(p), 1);
	assert_int_equal(cache_there(&fresh), 1);
	assert_false(fresh);
	assert_null(publisher_l0_old(p));
	publisher_close(p);
	assert_int_equal(rmdir(blocked), 0);
	life(4);
	assert_int_equal(publisher_resolvers(p), 4);
	assert_int_equal(cache_there(&fresh), 2);
	assert_true(fresh);
}

// A cache of another size is not what the operator asked for.
TEST_WITH(test_another_size_is_an_error, setup, teardown)
{
	config.cache.l0_mb = 2;
	assert_true(publisher_open(&p, &paths, &config, why) < 0);
	p = NULL;
}
