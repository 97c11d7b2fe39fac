// SPDX-License-Identifier: BSD-3-Clause

// Regions where pages are larger than those that their layout is made of (SHM_PAGE).

#include "dataplane/core/shm/shm_internal.h"
#include "mapped.h"
#include "tests/unit/page_fake.h"
#include "tests/unit/unit.h"

#include <weir/page.h>

static const size_t pages[] = {0, 16384, 65536}; // 0: this machine's

static struct shm_paths paths;
static char run_dir[FOLDER_MAX], why[SHM_WHY_MAX];

// Made, filled, found by another, taken away: no call is refused, and nothing stays mapped.
static void check_region(size_t data_size)
{
	const struct region_spec spec = {
		.name = "l0.1", .kind = REGION_L0, .generation = 1, .data_size = data_size};
	const uint64_t before = mapped_bytes();
	struct region w, r;
	assert_int_equal(region_create(&paths, &spec, &w, why), 0);
	assert_int_equal(w.size % page_size(), 0);
	assert_in_range(region_data_size(&w), data_size, data_size + page_size() - 1);
	uint8_t *data = region_data(&w);
	memset(data, 7, region_data_size(&w));
	region_publish(&w);
	assert_int_equal(region_attach(&paths, SHM_IN_MEM, "l0.1", REGION_L0, false, &r, why), 0);
	assert_int_equal(r.size, w.size);
	assert_memory_equal(region_data(&r), data, region_data_size(&w));
	region_unmap(&r);
	assert_int_equal(region_load(&paths, SHM_IN_MEM, "l0.1", REGION_L0, &r, why), 0);
	assert_int_equal(r.size, w.size);
	region_unmap(&r);
	region_unmap(&w);
	assert_int_equal(region_unlink(&paths, SHM_IN_MEM, "l0.1"), 0);
	assert_int_equal(mapped_bytes(), before);
}

TEST(test_regions)
{
	assert_int_equal(folder_make(run_dir, "pages"), 0);
	assert_int_equal(shm_paths_init(&paths, run_dir, "off", why), 0);
	for (unsigned i = 0; i < ARRAY_LEN(pages); i++) {
		page_fake(pages[i]);
		check_region(1);
		check_region(3 * SHM_PAGE + 1);
		check_region((2 << 20) + 5 * SHM_PAGE);
		assert_int_equal(page_fake_refusals(), 0);
	}
	page_fake(0);
	shm_paths_remove(&paths);
	assert_int_equal(rmdir(paths.run), 0);
}

// What a kind has at most is rounded up as the file was, also where a block of the file system is a
// part of a page.
TEST(test_kinds_of_one_size)
{
	assert_int_equal(folder_make(run_dir, "pages"), 0);
	assert_int_equal(shm_paths_init(&paths, run_dir, "off", why), 0);
	for (unsigned i = 0; i < ARRAY_LEN(pages); i++) {
		const struct region_spec spec = {.name = "directory",
			.kind = REGION_DIRECTORY,
			.generation = 1,
			.data_size = sizeof(struct directory)};
		struct region w, r, place;
		page_fake(pages[i]);
		assert_int_equal(region_create(&paths, &spec, &w, why), 0);
		region_publish(&w);
		assert_int_equal(
			region_attach(&paths, SHM_IN_MEM, spec.name, spec.kind, false, &r, why), 0);
		region_unmap(&r);
		assert_int_equal(region_place(SHM_PAGE + spec.data_size, &place, why), 0);
		assert_int_equal(
			region_attach_over(&paths, spec.name, spec.kind, NULL, &place, why), 1);
		region_unmap(&place);
		region_unmap(&w);
		assert_int_equal(region_unlink(&paths, SHM_IN_MEM, spec.name), 0);
	}
	page_fake(0);
	shm_paths_remove(&paths);
	assert_int_equal(rmdir(paths.run), 0);
}

// A region as large as a huge page begins where a huge page can lie. shm_huge_map maps more to find
// that place, and unmaps the rest on both sides.
TEST(test_huge)
{
	for (unsigned i = 0; i < ARRAY_LEN(pages); i++) {
		page_fake(pages[i]);
		const uint64_t before = mapped_bytes();
		const size_t size = page_huge() + 3 * SHM_PAGE;
		uint8_t *m = shm_huge_map(
			-1, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
		assert_true(m != MAP_FAILED);
		assert_int_equal((uintptr_t)m % page_huge(), 0);
		assert_int_equal(munmap(m, size), 0);
		assert_int_equal(page_fake_refusals(), 0);
		assert_int_equal(mapped_bytes(), before);
	}
	page_fake(0);
}
