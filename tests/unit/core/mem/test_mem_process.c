// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/unit.h"

#include <weir/mem_account.h>
#include <weir/shm_region.h>

enum { MIB = 1 << 20 };

static struct mem_process now(void)
{
	struct mem_process p;
	assert_int_equal(mem_process_read(&p), 0);
	return p;
}

TEST(the_parts_are_the_whole)
{
	struct mem_process p = now();
	assert_int_equal(
		p.rss_heap + p.rss_code + p.rss_regions + p.rss_stacks + p.rss_other, p.rss);
	assert_true(p.rss_code > 0 && p.rss_stacks > 0 && p.rss_heap > 0);
	assert_true(p.maps > 5 && p.threads == 1 && p.files >= 3);
}

TEST(heap_is_heap)
{
	struct mem_process before = now();
	volatile char *p = malloc(32 * MIB);
	for (size_t i = 0; i < 32 * MIB; i += 4096)
		p[i] = 1;
	struct mem_process after = now();
	assert_true(after.rss_heap >= before.rss_heap + 31 * MIB);
	assert_true(after.rss_regions == before.rss_regions);
#if !SANITIZED_ADDRESS // which has an allocator of its own
	assert_true(after.allocated >= before.allocated + 32 * MIB);
	assert_true(after.held >= after.allocated);
#endif
	free((void *)(uintptr_t)p);
}

TEST(a_region_has_its_name)
{
	struct mem_region region[MEM_REGIONS_MAX];
	struct mem_process before = now();
	char path[] = "/dev/shm/weir-test-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 4 * MIB), 0);
	char *p = mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	memset(p, 1, MIB);
	// A part that is read-only is a mapping of its own, and the same region.
	assert_int_equal(mprotect(p, MIB / 2, PROT_READ), 0);
	struct mem_process after = now();
	assert_int_equal(after.rss_regions, before.rss_regions + MIB);
	int n = mem_regions_read((unsigned)getpid(), region), found = 0;
	for (int i = 0; i < n; i++) {
		if (strcmp(region[i].name, path + 5) != 0)
			continue;
		found++;
		assert_int_equal(region[i].bytes, 4 * MIB);
		assert_int_equal(region[i].resident, MIB);
		assert_int_equal(region[i].huge, 0);
	}
	assert_int_equal(found, 1);
	munmap(p, 4 * MIB);
	close(fd);
	unlink(path);
}

TEST(many_regions_end_in_one)
{
	struct mem_region region[MEM_REGIONS_MAX];
	void *mapped[MEM_REGIONS_MAX + 8];
	for (unsigned i = 0; i < ARRAY_LEN(mapped); i++) {
		char path[] = "/dev/shm/weir-test-XXXXXX";
		int fd = mkstemp(path);
		assert_true(fd >= 0);
		assert_int_equal(ftruncate(fd, 4096), 0);
		mapped[i] = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
		assert_ptr_not_equal(mapped[i], MAP_FAILED);
		close(fd);
		unlink(path);
	}
	int n = mem_regions_read(0, region);
	uint64_t bytes = 0;
	assert_int_equal(n, MEM_REGIONS_MAX);
	for (int i = 0; i < n; i++)
		bytes += region[i].bytes;
	assert_true(bytes >= ARRAY_LEN(mapped) * 4096);
	assert_true(region[0].bytes >= 9 * 4096); // the rest, as one
	for (unsigned i = 0; i < ARRAY_LEN(mapped); i++)
		munmap(mapped[i], 4096);
}

static _Atomic int stop;

static void *thread(void *arg)
{
	volatile char deep[512 << 10];
	for (size_t i = 0; i < sizeof(deep); i += 4096)
		deep[i] = 1;
	*(_Atomic int *)arg = 1;
	WAIT_FOR(stop);
	return NULL;
}

TEST(a_threads_stack_is_a_stack)
{
	struct mem_process before = now();
	_Atomic int ready = 0;
	pthread_t t;
	assert_int_equal(pthread_create(&t, NULL, thread, &ready), 0);
	WAIT_FOR(ready);
	struct mem_process after = now();
	assert_int_equal(after.threads, before.threads + 1);
#if !SANITIZED_ADDRESS // locals may lie elsewhere there
	assert_true(after.rss_stacks >= before.rss_stacks + (512 << 10));
#endif
	stop = 1;
	pthread_join(t, NULL);
}

TEST(a_process_that_is_not_there)
{
	struct mem_region region[MEM_REGIONS_MAX];
	assert_true(mem_regions_read(0x7fffffff, region) < 0);
}
