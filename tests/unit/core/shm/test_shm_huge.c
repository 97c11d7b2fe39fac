// SPDX-License-Identifier: BSD-3-Clause

// Files with huge pages, mapped where these can lie. Whether the kernel makes any is its own
// affair: older ones refuse, which must change nothing.

#include "dataplane/core/shm/shm_internal.h"
#include "mapped.h"
#include "tests/unit/unit.h"

#include <weir/page.h>

static void check_size(size_t size)
{
	int fd = memfd_create("weir-test", MFD_CLOEXEC);
	uint64_t before = mapped_bytes();
	assert_true(fd >= 0);
	struct shm_huge h;
	shm_huge_begin(&h, fd, size);
	shm_huge_make(&h, size);
	shm_huge_end(&h);
	assert_int_equal(h.made % page_huge(), 0);
	assert_true(h.made <= size);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	uint8_t *m = shm_huge_map(fd, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE);
	assert_true(m != MAP_FAILED);
	if (size >= page_huge())
		assert_int_equal((uintptr_t)m % page_huge(), 0);
	for (size_t at = 0; at < size; at += 8)
		assert_int_equal(*(const uint64_t *)(const void *)(m + at), 0);
	for (size_t at = 0; at < size; at += SHM_PAGE)
		m[at + at / SHM_PAGE % SHM_PAGE] = (uint8_t)(at / SHM_PAGE + 1);
	// A later mapping sees the same.
	uint8_t *other = shm_huge_map(fd, size, PROT_READ, MAP_SHARED | MAP_POPULATE);
	assert_true(other != MAP_FAILED);
	assert_memory_equal(other, m, size);
	assert_int_equal(munmap(other, size), 0);
	assert_int_equal(munmap(m, size), 0);
	close(fd);
	assert_int_equal(mapped_bytes(), before); // the rooms that they were placed in are gone
}

// When its CPU or its time is over nothing more is made, and what was stays.
TEST(test_bounds)
{
	for (unsigned i = 0; i < 2; i++) {
		int fd = memfd_create("weir-test", MFD_CLOEXEC);
		struct shm_huge h;
		assert_true(fd >= 0);
		shm_huge_begin(&h, fd, 4 * page_huge());
		shm_huge_make(&h, SHM_PAGE);
		size_t made = h.made;
		*(i ? &h.late_ms : &h.until_ms) = 0;
		shm_huge_make(&h, 4 * page_huge());
		assert_int_equal(h.made, made);
		assert_null(h.base);
		close(fd);
	}
}

// Made while it is written: never more than a page ahead, and what is there stays.
static void check_steps(size_t size)
{
	enum { STEP = 3 * SHM_PAGE };
	int fd = memfd_create("weir-test", MFD_CLOEXEC);
	struct shm_huge h;
	struct stat st;
	uint8_t bytes[STEP];
	assert_true(fd >= 0);
	shm_huge_begin(&h, fd, size);
	for (size_t at = 0; at < size; at += STEP) {
		size_t len = size - at < STEP ? size - at : STEP;
		shm_huge_make(&h, at + len);
		assert_int_equal(fstat(fd, &st), 0);
		assert_true((size_t)st.st_blocks * 512 < at + len + page_huge());
		memset(bytes, (int)(at / STEP + 1), sizeof(bytes));
		assert_int_equal(pwrite(fd, bytes, len, (off_t)at), len);
	}
	shm_huge_end(&h);
	for (size_t at = 0; at < size; at += STEP) {
		size_t len = size - at < STEP ? size - at : STEP;
		uint8_t found[STEP];
		memset(bytes, (int)(at / STEP + 1), sizeof(bytes));
		assert_int_equal(pread(fd, found, len, (off_t)at), len);
		assert_memory_equal(found, bytes, len);
	}
	close(fd);
}

TEST(test_steps)
{
	check_steps(page_huge() - SHM_PAGE);
	check_steps(page_huge());
	check_steps(3 * page_huge() + 5 * SHM_PAGE);
}

TEST(test_sizes)
{
	check_size(SHM_PAGE);
	check_size(page_huge() - SHM_PAGE);
	check_size(page_huge());
	check_size(3 * page_huge() + 5 * SHM_PAGE);
}

TEST(test_refusal)
{
	int fd = memfd_create("weir-test", MFD_CLOEXEC);
	assert_true(fd >= 0 && close(fd) == 0);
	assert_true(shm_huge_map(fd, page_huge(), PROT_READ, MAP_SHARED) == MAP_FAILED);
	assert_true(shm_huge_map(fd, SHM_PAGE, PROT_READ, MAP_SHARED) == MAP_FAILED);
}
