// SPDX-License-Identifier: BSD-3-Clause

// Where cache and rules go when the data plane does not see the hugetlbfs that we see.

#include "controlplane/shm/publish.h"
#include "tests/unit/unit.h"

#include <sys/wait.h>
#include <weir/shm_lost.h>

static struct shm_paths paths;
static const struct config config = {
	.cache = {.l0_mb = 2, .stale_ttl_s = 30}, .limits.udp_reply_size = 1232};
static struct publisher *p;
static char why[SHM_WHY_MAX];
static struct region reader;

static void open_now(void)
{
	if (publisher_open(&p, &paths, &config, why) < 0)
		fail_msg("publisher_open: %s", why);
}

// With a folder in a place of its own, as on a hugetlbfs, and a data plane.
static int setup(void **)
{
	static const struct region_spec spec = {.name = "reader",
		.kind = REGION_READER,
		.generation = 1,
		.incarnation = 1,
		.data_size = sizeof(struct reader_page)};
	char run[64];
	assert_int_equal(folder_make(run, "publish"), 0);
	if (shm_paths_init(&paths, run, "off", why) < 0)
		fail_msg("shm_paths_init: %s", why);
	snprintf(paths.huge, sizeof(paths.huge), "%.100s/huge", paths.run);
	assert_int_equal(mkdir(paths.huge, 0700), 0);
	snprintf(paths.huge, sizeof(paths.huge), "%.100s/huge/folder", paths.run);
	assert_int_equal(mkdir(paths.huge, 0700), 0);
	assert_int_equal(region_create(&paths, &spec, &reader, why), 0);
	region_publish(&reader);
	open_now();
	return 0;
}

static int teardown(void **)
{
	publisher_close(p);
	region_unmap(&reader);
	shm_paths_close(&paths);
	return folder_remove(paths.run, paths.mem);
}

static int publish_image(void)
{
	static const char image[5000] = "image";
	struct rule_image_region *r;
	assert_int_equal(
		publish_rules_prepare(
			p, &(struct region_fill){.len = sizeof(image), .from = image}, &r, why),
		0);
	return publish_rules_publish(p, r);
}

static struct rings_dp_page page; // the worker's

// How a child ends that beats for a minute beside a worker that activates nothing.
static int ends_within_a_minute(uint64_t run)
{
	const struct rings_dp_page *pages[1] = {&page};
	int status = 0;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		publisher_rings(p, 0, run, pages, 1);
		for (uint64_t ms = 100000; ms < 160000; ms += 100)
			publisher_heartbeat(p, ms);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static enum shm_where rules_where(void)
{
	struct publish_status s;
	assert_int_equal(publish_image(), 0);
	publish_status(p, &s);
	return s.rule_image_where;
}

static enum shm_where l0_where(void)
{
	struct publish_status s;
	publish_status(p, &s);
	return s.l0_where;
}

static _Atomic uint64_t *huge_of_reader(void)
{
	struct reader_page *r = region_data(&reader);
	return &r->huge;
}

// A data plane that sees no hugetlbfs, or another one, gets what it can read: the rules at once,
// the cache by the next life, which copies what it holds.
TEST_WITH(test_a_data_plane_that_sees_no_huge_pages, setup, teardown)
{
	_Atomic uint64_t *huge = huge_of_reader();
	const uint64_t here = shm_huge_place(&paths);
	publish_l0(p);
	assert_int_equal(l0_where(), SHM_IN_HUGE); // it has not said anything
	assert_int_equal(rules_where(), SHM_IN_HUGE);
	atomic_store(huge, here);
	assert_int_equal(rules_where(), SHM_IN_HUGE);
	assert_false(publisher_huge_apart(p, why));
	assert_int_equal(ends_within_a_minute(0xd0), 0);

	const uint64_t others[] = {SHM_HUGE_NONE, here + 1};
	for (unsigned i = 0; i < ARRAY_LEN(others); i++) {
		atomic_store(huge, others[i]);
		assert_int_equal(rules_where(), SHM_IN_MEM);
		assert_true(publisher_huge_apart(p, why));
		assert_non_null(strstr(why, paths.huge));
		assert_int_equal(ends_within_a_minute(0xd0), REGION_LOST_STATUS);
	}
	publisher_close(p);
	open_now();
	assert_int_equal(l0_where(), SHM_IN_MEM);
	const struct region *old = publisher_l0_old(p);
	assert_non_null(old);
	assert_int_equal(old->where, SHM_IN_HUGE);
	publish_l0(p);
	assert_int_equal(ends_within_a_minute(0xd0), 0);
	// A life that knows begins there.
	publisher_close(p);
	open_now();
	assert_int_equal(l0_where(), SHM_IN_MEM);
	assert_null(publisher_l0_old(p));
	atomic_store(huge, here);
	assert_int_equal(rules_where(), SHM_IN_HUGE);
}

// A life that finds huge pages copies the cache of the last one into them.
TEST_WITH(test_huge_pages_that_come_later, setup, teardown)
{
	struct shm_paths without = paths;
	struct region l0;
	bool fresh;
	publisher_close(p);
	without.huge[0] = '\0';
	assert_int_equal(publisher_open(&p, &without, &config, why), 0);
	publisher_l0(p, &l0, &fresh);
	const size_t size = region_data_size(&l0);
	uint8_t *before = malloc(size);
	unit_at_end(free, before);
	assert_non_null(before);
	for (size_t i = SHM_PAGE; i < size; i += 1000)
		((uint8_t *)region_data(&l0))[i] = (uint8_t)(i >> 3 | 1);
	memcpy(before, region_data(&l0), size);
	publish_l0(p);
	assert_int_equal(l0_where(), SHM_IN_MEM);

	// There is no room for it: it stays where it is.
	const char *in_the_way = text_from("%s/l0.2", paths.huge);
	assert_int_equal(mkdir(in_the_way, 0700), 0);
	publisher_close(p);
	open_now();
	assert_int_equal(l0_where(), SHM_IN_MEM);
	publish_l0(p);
	assert_int_equal(atomic_load(&publisher_directory(p)->current[REGION_L0]) >> 1, 1);

	assert_int_equal(rmdir(in_the_way), 0);
	publisher_close(p);
	open_now();
	publisher_l0(p, &l0, &fresh);
	assert_false(fresh);
	assert_int_equal(l0.where, SHM_IN_HUGE);
	assert_null(publisher_l0_old(p)); // or its records would be put once more
	assert_memory_equal(region_data(&l0), before, size);
	// The next life begins with the old one if this one dies here.
	assert_int_equal(
		atomic_load(&publisher_directory(p)->current[REGION_L0]), 1 << 1 | SHM_IN_MEM);
	publish_l0(p);
	assert_int_equal(
		atomic_load(&publisher_directory(p)->current[REGION_L0]), 2 << 1 | SHM_IN_HUGE);
	assert_int_equal(access(text_from("%s/l0.1", paths.mem), F_OK), -1);
}

// One that has used the cache sees its file, whatever it says later. The next one may not.
TEST_WITH(test_a_data_plane_that_used_the_cache, setup, teardown)
{
	const struct rings_dp_page *pages[1] = {&page};
	publish_l0(p);
	publisher_rings(p, 0, 0xd0, pages, 1);
	atomic_store(
		&page.activated_l0, atomic_load(&publisher_directory(p)->current[REGION_L0]) >> 1);
	publisher_heartbeat(p, 1000);
	atomic_store(&page.activated_l0, 0);
	atomic_store(huge_of_reader(), SHM_HUGE_NONE);
	assert_int_equal(ends_within_a_minute(0xd0), 0);
	assert_int_equal(ends_within_a_minute(0xd1), REGION_LOST_STATUS);
}
