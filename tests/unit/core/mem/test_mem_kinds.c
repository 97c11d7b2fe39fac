// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/unit.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <weir/mem_account.h>
#include <weir/page.h>

enum { MIB = 1 << 20, STEPS_MAX = 1000 };

static struct mem_look look;

static struct mem_kinds now(unsigned *steps)
{
	struct mem_kinds k;
	unsigned n = 1;
	int rc;
	assert_int_equal(mem_look_begin(&look), 0);
	while ((rc = mem_look_step(&look, &k)) == 0 && n < STEPS_MAX)
		n++;
	assert_int_equal(rc, 1);
	if (steps)
		*steps = n;
	return k;
}

// Maps a file of this name that is gone, with its folder.
static void *deleted_map(const char *name, size_t bytes)
{
	char folder[] = "/dev/shm/weir-test-XXXXXX", path[256];
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	close(fd);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
	return p;
}

TEST(mappings_have_kinds)
{
	struct mem_kinds before = now(NULL);
	void *heap =
		mmap(NULL, 8 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *reserved = mmap(NULL, 64 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(heap != MAP_FAILED && reserved != MAP_FAILED);
	struct mem_kinds after = now(NULL);
	assert_int_equal(after.bytes[MEM_MAP_anonymous], before.bytes[MEM_MAP_anonymous] + 8 * MIB);
	assert_true(after.bytes[MEM_MAP_code] > 0 && after.maps[MEM_MAP_code] > 3);
	assert_true(after.maps[MEM_MAP_stacks] >= 1);
	munmap(heap, 8 * MIB);
	munmap(reserved, 64 * MIB);
}

TEST(an_image_that_stays_mapped_is_stale)
{
	void *p[4];
	struct mem_kinds before = now(NULL);
	const struct mem_deleted *d = &before.deleted[REGION_RULE_IMAGE];
	assert_int_equal(d->files, 0);
	p[0] = deleted_map("rule_image.7", 2 * MIB);
	p[1] = deleted_map("rule_image.8", 2 * MIB);
	struct mem_kinds one = now(NULL);
	d = &one.deleted[REGION_RULE_IMAGE];
	assert_int_equal(one.bytes[MEM_MAP_regions], before.bytes[MEM_MAP_regions] + 4 * MIB);
	assert_int_equal(d->files, 2);
	assert_int_equal(d->behind, 1);
	assert_int_equal(d->stale, 0); // the last one's readers may still be on their way
	p[2] = deleted_map("rule_image.10", MIB);
	// Its first page is read-only, which makes two mappings of it.
	assert_int_equal(mprotect(p[0], page_size(), PROT_READ), 0);
	p[3] = deleted_map("policy.99", MIB);
	assert_int_equal(now(NULL).deleted[REGION_RULE_IMAGE].stale, 0); // may be on its way out
	struct mem_kinds two = now(NULL);
	d = &two.deleted[REGION_RULE_IMAGE];
	assert_int_equal(d->files, 3);
	assert_int_equal(d->bytes, 5 * MIB);
	assert_int_equal(d->behind, 3);
	assert_int_equal(d->stale, 2);
	assert_int_equal(d->stale_bytes, 4 * MIB);
	assert_int_equal(two.deleted[REGION_POLICY].files, 1);
	assert_int_equal(two.deleted[REGION_POLICY].stale, 0);
	munmap(p[0], 2 * MIB);
	munmap(p[1], 2 * MIB);
	munmap(p[2], MIB);
	munmap(p[3], MIB);
	assert_int_equal(now(NULL).deleted[REGION_RULE_IMAGE].files, 0);
}

TEST(names_of_regions_are_read)
{
	void *marks[] = {
		deleted_map("marks.0.5", page_size()), deleted_map("marks.1.7", page_size())};
	void *rings = deleted_map("rings.3", page_size());
	void *strange = deleted_map("rule_images.4", page_size());
	(void)now(NULL);
	struct mem_kinds k = now(NULL);
	assert_int_equal(k.deleted[REGION_MARKS].files, 2);
	assert_int_equal(k.deleted[REGION_MARKS].stale, 1);
	assert_int_equal(k.deleted[REGION_RINGS].files, 1);
	assert_int_equal(k.deleted[REGION_RINGS].behind, 0);
	assert_int_equal(k.deleted[REGION_RULE_IMAGE].files, 0);
	assert_true(k.deleted[REGION_NONE].files >= 1);
	munmap(marks[0], page_size());
	munmap(marks[1], page_size());
	munmap(rings, page_size());
	munmap(strange, page_size());
}

TEST(descriptors_have_kinds)
{
	struct mem_kinds before = now(NULL);
	int fd[8], pair[2], n = 0;
	fd[n++] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	fd[n++] = eventfd(0, EFD_CLOEXEC);
	fd[n++] = epoll_create1(EPOLL_CLOEXEC);
	fd[n++] = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	fd[n++] = memfd_create("weir-test", MFD_CLOEXEC);
	fd[n++] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	struct mem_kinds after = now(NULL);
	for (unsigned k = 0; k < MEM_FDS; k++)
		assert_int_equal(after.descriptors[k] - before.descriptors[k], k == MEM_FD_pipe ? 2
									       : k == MEM_FD_other
										       ? 0
										       : 1);
	while (n)
		close(fd[--n]);
	close(pair[0]);
	close(pair[1]);
	struct mem_kinds closed = now(NULL);
	assert_memory_equal(closed.descriptors, before.descriptors, sizeof(before.descriptors));
}

// Each step is bounded, so many mappings and descriptors are many steps.
TEST(much_is_read_in_steps)
{
	enum { MAPS = 1000, FDS = 900 };
	static int fd[FDS];
	struct rlimit files = {FDS + 100, FDS + 100};
	unsigned few, many;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
	struct mem_kinds before = now(&few);
	// Neighbours of unequal protection are mappings of their own.
	char *map = mmap(NULL, (size_t)MAPS * page_size(), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	for (unsigned i = 0; i < MAPS; i += 2)
		assert_int_equal(
			mprotect(map + (size_t)i * page_size(), page_size(), PROT_READ), 0);
	for (unsigned i = 0; i < FDS; i++)
		fd[i] = eventfd(0, EFD_CLOEXEC);
	struct mem_kinds after = now(&many);
	assert_int_equal(after.bytes[MEM_MAP_anonymous],
		before.bytes[MEM_MAP_anonymous] + MAPS * page_size());
	assert_true(after.maps[MEM_MAP_anonymous] >= before.maps[MEM_MAP_anonymous] + MAPS - 2);
	assert_int_equal(after.descriptors[MEM_FD_eventfd], FDS);
	assert_true(many >= few + 10);
	munmap(map, (size_t)MAPS * page_size());
	for (unsigned i = 0; i < FDS; i++)
		close(fd[i]);
}

TEST(a_look_can_be_given_up)
{
	struct mem_kinds before = now(NULL), k;
	assert_int_equal(mem_look_begin(&look), 0);
	assert_int_equal(mem_look_step(&look, &k), 0);
	mem_look_end(&look);
	assert_int_equal(mem_look_step(&look, &k), 0); // none is in progress
	struct mem_kinds after = now(NULL);
	assert_memory_equal(&after.descriptors, &before.descriptors, sizeof(after.descriptors));
}
