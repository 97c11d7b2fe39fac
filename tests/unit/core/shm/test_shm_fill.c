// SPDX-License-Identifier: BSD-3-Clause

// Regions that are filled while they are made: from memory and from a file, whole or not at all.

#include "dataplane/core/shm/shm_internal.h"
#include "tests/unit/unit.h"

#include <weir/page.h>

enum { SIZE = 3 * 1024 * 1024 + 777 }; // more than a piece, and no whole page

static struct shm_paths paths;
static uint8_t *source;
static int file;
static char why[SHM_WHY_MAX];

static int setup(void **)
{
	char run_dir[FOLDER_MAX];
	char name[] = "/tmp/weir-test-shm-fill-XXXXXX";
	source = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	file = mkstemp(name);
	if (source == MAP_FAILED || file < 0 || unlink(name) || folder_make(run_dir, "fill"))
		return -1;
	for (size_t i = 0; i < SIZE; i++)
		source[i] = (uint8_t)(i * 7 + i / 4096);
	if (write(file, source, SIZE) != SIZE)
		return -1;
	return shm_paths_init(&paths, run_dir, "off", why);
}

static int teardown(void **)
{
	close(file);
	munmap(source, SIZE);
	shm_paths_remove(&paths);
	return rmdir(paths.run);
}

static int create(const struct region_fill *fill, size_t data_size, struct region *out)
{
	const struct region_spec spec = {.name = "rule_image.1",
		.kind = REGION_RULE_IMAGE,
		.generation = 1,
		.data_size = data_size,
		.want_huge = true,
		.fill = *fill};
	return region_create(&paths, &spec, out, why);
}

static bool all_zero(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i])
			return false;
	return true;
}

static void check_filled(const struct region_fill *fill, size_t data_size)
{
	struct region r, mapped;
	assert_int_equal(create(fill, data_size, &r), 0);
	region_publish(&r);
	assert_int_equal(region_attach(&paths, SHM_IN_MEM, "rule_image.1", REGION_RULE_IMAGE, false,
				 &mapped, why),
		0);
	assert_true(region_data_size(&mapped) >= data_size);
	const uint8_t *data = region_data(&mapped);
	for (size_t i = 0; i < SIZE; i++)
		if (data[i] != (uint8_t)(i * 7 + i / 4096))
			fail_msg("byte %zu", i);
	assert_true(all_zero(data + SIZE, region_data_size(&mapped) - SIZE));
	region_unmap(&mapped);
	region_unmap(&r);
	assert_int_equal(region_unlink(&paths, SHM_IN_MEM, "rule_image.1"), 0);
}

TEST_WITH(test_filled, setup, teardown)
{
	const struct region_fill from_file = {.len = SIZE, .fd = file};
	struct region_fill from_memory = {.len = SIZE, .from = source};
	check_filled(&from_file, SIZE);
	check_filled(&from_file, SIZE); // from its start each time
	check_filled(&from_memory, SIZE + 20000);
	from_memory.give_back = true;
	check_filled(&from_memory, SIZE);
	assert_true(all_zero(source, SIZE)); // the pages are gone
}

TEST_WITH(test_short_file, setup, teardown)
{
	struct region r;
	struct region_fill fill = {.len = SIZE, .fd = file};
	assert_int_equal(ftruncate(file, SIZE - 1), 0);
	assert_int_equal(create(&fill, SIZE, &r), -EIO);
	assert_int_equal(region_unlink(&paths, SHM_IN_MEM, "rule_image.1"), -ENOENT);
	fill.fd = -1;
	assert_int_equal(create(&fill, SIZE, &r), -EBADF);
}

// What is given back as it is copied is copied before there is room for all of it: behind its first
// piece there is nothing to copy.
TEST(test_step_by_step)
{
	enum { READABLE = 1 << 20 };
	const size_t large = 4 * page_huge();
	uint8_t *from = mmap(NULL, large, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = memfd_create("weir-test", MFD_CLOEXEC);
	const struct region_fill fill = {.len = large, .from = from, .give_back = true};
	struct shm_huge huge;
	struct stat st;
	assert_true(from != MAP_FAILED && fd >= 0);
	assert_int_equal(mprotect(from, READABLE, PROT_READ), 0);
	shm_huge_begin(&huge, fd, SHM_PAGE + large);
	assert_int_equal(shm_fill_file(fd, SHM_PAGE + large, &fill, &huge), -EFAULT);
	shm_huge_end(&huge);
	assert_int_equal(fstat(fd, &st), 0);
	assert_in_range(st.st_blocks * 512, READABLE, large / 2);
	close(fd);
	munmap(from, large);
}

// As on hugetlbfs.
TEST_WITH(test_in_memory, setup, teardown)
{
	uint8_t *to = malloc(SIZE);
	struct region_fill fill = {.len = SIZE, .fd = file};
	assert_int_equal(shm_fill_memory(to, &fill), 0);
	assert_memory_equal(to, source, SIZE);
	memset(to, 0, SIZE);
	fill.from = source;
	assert_int_equal(shm_fill_memory(to, &fill), 0);
	assert_memory_equal(to, source, SIZE);
	fill.from = NULL;
	assert_int_equal(ftruncate(file, 100), 0);
	assert_int_equal(shm_fill_memory(to, &fill), -EIO);
	free(to);
}
