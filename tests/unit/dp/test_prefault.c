// SPDX-License-Identifier: BSD-3-Clause

// Prefaulting: pages that nobody has written yet are resident afterwards.
#include "dataplane/prefault.h"
#include "tests/unit/page_fake.h"
#include "tests/unit/unit.h"

#include <sys/wait.h>
#include <weir/os/sandbox.h>
#include <weir/page.h>

enum { PAGE_MOST = 65536, PAGES = 64 };

#define STACK_PAGES ((unsigned)(PREFAULT_STACK / page_size()) - 1)

extern char __data_start[];

static uint8_t untouched[(PAGES + 1) * PAGE_MOST];

static unsigned resident(uintptr_t at, unsigned pages)
{
	uint8_t there[PAGES] = {0};
	unsigned n = 0;

	assert_true(pages <= PAGES);
	assert_int_equal(mincore((void *)at, pages * page_size(), there), 0);
	for (unsigned i = 0; i < pages; i++)
		n += there[i] & 1;
	return n;
}

// What is before the data in their first page: writable, as ld.so leaves it on a machine with such
// pages, and no hole.
static void page_make(size_t page)
{
	const uintptr_t data = page_down((uintptr_t)__data_start);
	for (uintptr_t at = page ? data / page * page : data; at < data; at += page_size())
		if (mprotect((void *)at, page_size(), PROT_READ | PROT_WRITE | PROT_EXEC) != 0)
			(void)mmap((void *)at, page_size(), PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

// In a process of its own, whose data nobody has touched.
static void check_data(size_t page)
{
	int status;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		const uintptr_t first = page_up((uintptr_t)untouched);
		const unsigned before = resident(first, PAGES);
		page_make(page);
		page_fake(page);
		prefault_data();
		const unsigned refusals = page_fake_refusals();
		page_fake(0);
		_exit(before != 0 ? 1 : refusals ? 2 : resident(first, PAGES) != PAGES ? 3 : 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

TEST(test_data)
{
	check_data(0);
	check_data(16384);
	check_data(65536);
}

// How many of the pages below the stack of a new thread are resident, before and after.
static void *count_stack(void *arg)
{
	unsigned *count = arg;
	const uintptr_t here = page_down((uintptr_t)__builtin_frame_address(0));
	const unsigned pages = STACK_PAGES; // the frames between take the rest
	const uintptr_t lowest = here - pages * page_size();

	count[0] = resident(lowest, pages);
	prefault_stack();
	count[1] = resident(lowest, pages);
	return NULL;
}

TEST(test_stack)
{
	unsigned count[2] = {0};
	pthread_t thread;

	if (STACK_PAGES == 0) // one page, which the frames between touch
		skip();
	assert_int_equal(pthread_create(&thread, NULL, count_stack, count), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(count[0] < STACK_PAGES);
	assert_int_equal(count[1], STACK_PAGES);
}

static bool has_locked(void)
{
	char line[256];
	unsigned long kb = 0;
	FILE *f = fopen("/proc/self/status", "re");
	while (f && fgets(line, sizeof(line), f))
		(void)sscanf(line, "VmLck: %lu", &kb);
	if (f)
		(void)fclose(f);
	return kb > 0;
}

// In a process of its own: all is locked, or the limit forbids it and nothing is.
TEST(test_lock)
{
	int status;
	if (!sandbox_is_possible()) // a sanitizer's shadow is too large
		skip();
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		int rc = prefault_lock();
		_exit(rc == 0 ? !has_locked() : rc == -EPERM ? has_locked() : 2);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}
