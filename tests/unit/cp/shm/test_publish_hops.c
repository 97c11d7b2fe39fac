// SPDX-License-Identifier: BSD-3-Clause
// Next hops by generation, over the lives of the control plane.

#include "controlplane/shm/publish.h"
#include "tests/unit/unit.h"

static char dir[FOLDER_MAX];
static struct shm_paths paths;
static struct publisher *publisher;

static void control_start(void)
{
	static const struct config config = {.cache.l0_mb = 1};
	char why[SHM_WHY_MAX];
	assert_int_equal(publisher_open(&publisher, &paths, &config, why), 0);
}

static int setup(void **)
{
	char why[SHM_WHY_MAX];
	log_init("test_publish_hops", LOG_LEVEL_ERROR);
	if (folder_make(dir, "publish_hops") || shm_paths_init(&paths, dir, "off", why))
		return -1;
	control_start();
	return 0;
}

static int teardown(void **)
{
	publisher_close(publisher);
	shm_paths_close(&paths);
	return folder_remove(paths.mem, dir);
}

static struct hops_image image_of(uint8_t last)
{
	struct hops_image i = {.hop_count = 1,
		.server_count = 1,
		.has_v4 = 1,
		.source_v4 = {198, 18, 0, 53},
		.resolvers = 1,
		.range_count = 1,
		.range = {{1024, 32767}},
		.hop = {{.destination = {2, 0, 0, 0, 0, 1},
			.source = {2, 0, 0, 0, 0, 2},
			.mtu = 1500}},
		.server = {{.ip = {198, 18, 0, last}, .port = 53, .ip_version = 4}}};
	hops_image_seal(&i);
	return i;
}

static uint64_t word(void)
{
	return atomic_load(&publisher_directory(publisher)->current[REGION_HOPS]);
}

// As a worker finds it.
static struct hops_reader *current(void)
{
	static struct hops_reader reader;
	char name[SHM_NAME_MAX], why[SHM_WHY_MAX], detail[128];
	struct region r;

	shm_name_generation(name, "hops", word() >> 1);
	assert_int_equal(
		region_load(&paths, (enum shm_where)(word() & 1), name, REGION_HOPS, &r, why), 0);
	assert_int_equal(
		hops_reader_init(&reader, region_data(&r), region_data_size(&r), detail), 0);
	region_unmap(&r);
	return &reader;
}

static bool is_there(uint64_t generation)
{
	char name[SHM_NAME_MAX], why[SHM_WHY_MAX];
	struct region r;

	shm_name_generation(name, "hops", generation);
	if (region_load(&paths, SHM_IN_MEM, name, REGION_HOPS, &r, why) < 0)
		return false;
	region_unmap(&r);
	return true;
}

TEST_WITH(test_generations, setup, teardown)
{
	char why[SHM_WHY_MAX];
	struct publish_status status;
	struct hops_image image = image_of(1);

	assert_int_equal(word(), 0);
	assert_int_equal(publish_hops(publisher, &image, why), 0);
	assert_int_equal(word() >> 1, 1);
	assert_int_equal(current()->server[0].ip[3], 1);
	image = image_of(2);
	assert_int_equal(publish_hops(publisher, &image, why), 0);
	assert_int_equal(word() >> 1, 2);
	assert_int_equal(current()->server[0].ip[3], 2);
	assert_false(is_there(1));
	publish_status(publisher, &status);
	assert_int_equal(status.hops_generation, 2);
}

// The last life's servers are not this one's; a worker that has that image must see another
// generation.
TEST_WITH(test_another_life_begins_without, setup, teardown)
{
	char why[SHM_WHY_MAX];
	const struct hops_image image = image_of(1);

	assert_int_equal(publish_hops(publisher, &image, why), 0);
	publisher_close(publisher);
	control_start();
	assert_int_equal(word() >> 1, 2);
	assert_false(current()->has_servers);
	assert_false(is_there(1));
	assert_int_equal(publish_hops(publisher, &image, why), 0);
	assert_int_equal(word() >> 1, 3);
	assert_true(current()->has_servers);
}
