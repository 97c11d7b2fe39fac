// SPDX-License-Identifier: BSD-3-Clause

// What mapping a file costs that the other process has made badly, and what it leaves where the
// kernel has no memory.

#include "tests/unit/remapping.h"
#include "tests/unit/unit.h"

#include <weir/shm_region.h>

static struct shm_paths paths;
static char run_dir[64];
static char why[SHM_WHY_MAX];

static int setup(void **)
{
	assert_int_equal(folder_make(run_dir, "attach"), 0);
	return shm_paths_init(&paths, run_dir, "off", why);
}

static int teardown(void **)
{
	shm_paths_remove(&paths);
	return rmdir(paths.run);
}

static const char *rings_path(void)
{
	static char path[2 * SHM_PATH_MAX];
	snprintf(path, sizeof(path), "%s/rings.3", paths.mem);
	return path;
}

static struct region create_rings(size_t data_size)
{
	const struct region_spec spec = {.name = "rings.3",
		.kind = REGION_RINGS,
		.generation = 5,
		.data_size = data_size,
		.geometry = {64, 32}};
	struct region r;
	assert_int_equal(region_create(&paths, &spec, &r, why), 0);
	return r;
}

static int attach_rings(struct region *out)
{
	return region_attach(&paths, SHM_IN_MEM, "rings.3", REGION_RINGS, false, out, why);
}

static void expect_refused(const char *text)
{
	struct region r = {.base = NULL};
	assert_int_equal(attach_rings(&r), -EPROTO);
	assert_null(r.base);
	assert_non_null(strstr(why, text));
}

static void remove_rings(struct region *r)
{
	region_unmap(r);
	assert_int_equal(region_unlink(&paths, SHM_IN_MEM, "rings.3"), 0);
}

static uint64_t pages_made(void)
{
	struct stat st;
	assert_int_equal(stat(rings_path(), &st), 0);
	return (uint64_t)st.st_blocks * 512 / SHM_PAGE;
}

// A file with holes whose header is right: nobody who only looks at it makes pages for it.
TEST(test_holes)
{
	struct region w = create_rings(3 * SHM_PAGE);
	struct region_header *h = (void *)w.base;
	h->total_size += 16 * SHM_PAGE;
	region_publish(&w);
	const uint64_t pages = pages_made();
	assert_int_equal(truncate(rings_path(), (off_t)h->total_size), 0);
	expect_refused("but pages for");
	assert_int_equal(pages_made(), pages);
	// Still being made: its size is there before its pages.
	h->magic = 0;
	expect_refused("still being made");
	assert_int_equal(pages_made(), pages);
	remove_rings(&w);
}

// All its pages are there, but rings are never that large.
TEST(test_larger_than_its_kind)
{
	const size_t most = RINGS_MISS_RING - SHM_PAGE
			    + (size_t)(RINGS_MISS_UNITS + RINGS_LOG_UNITS) * RING_UNIT;
	struct region w = create_rings(most), r;
	region_publish(&w);
	assert_int_equal(attach_rings(&r), 0);
	region_unmap(&r);
	region_unmap(&w);
	w = create_rings(most + (2 << 20)); // more than a block of the file system
	region_publish(&w);
	expect_refused("a region of kind rings at most");
	remove_rings(&w);
}

static int attach_over(struct region *at)
{
	return region_attach_over(&paths, "rings.3", REGION_RINGS, NULL, at, why);
}

static void publish_rings_of(uint64_t word, struct region *out)
{
	*out = create_rings(SHM_PAGE);
	memcpy(region_data(out), &word, sizeof(word));
	region_publish(out);
}

// A reader finds the former region, or zeros, and the new one once there is memory.
TEST(test_no_memory_to_put_it_in_place)
{
	struct region w, at;
	assert_int_equal(region_place(2 * SHM_PAGE, &at, why), 0);
	const volatile uint64_t *word = (const void *)(at.base + SHM_PAGE);
	publish_rings_of(7, &w);
	assert_int_equal(attach_over(&at), 1);
	assert_int_equal(*word, 7);
	region_unmap(&w);
	publish_rings_of(8, &w);
	remapping = REFUSES;
	assert_int_equal(attach_over(&at), -ENOMEM);
	assert_int_equal(*word, 7);
	assert_true(at.inode != 0);
	remapping = LOSES;
	assert_int_equal(attach_over(&at), -ENOMEM);
	assert_non_null(strstr(why, "cannot put it in place"));
	assert_int_equal(*word, 0);
	assert_int_equal(at.inode, 0);
	remapping = MOVES;
	assert_int_equal(attach_over(&at), 1);
	assert_int_equal(*word, 8);
	remove_rings(&w);
	region_unmap(&at);
}

TEST_GROUP(setup, teardown)
