// SPDX-License-Identifier: BSD-3-Clause

// Prefaulting: pages that nobody has written yet are resident afterwards.
#include "dataplane/prefault.h"
#include "tests/unit/unit.h"

#include <sys/wait.h>
#include <weir/os/sandbox.h>

enum { PAGE = 4096, PAGES = 64 };

static uint8_t untouched[(PAGES + 1) * PAGE];

static unsigned resident(uintptr_t at, unsigned pages)
{
	uint8_t there[PAGES] = {0};
	unsigned n = 0;

	assert_true(pages <= PAGES);
	assert_int_equal(mincore((void *)at, (size_t)pages * PAGE, there), 0);
	for (unsigned i = 0; i < pages; i++)
		n += there[i] & 1;
	return n;
}

TEST(test_data)
{
	const uintptr_t first = ((uintptr_t)untouched + PAGE - 1) & ~(uintptr_t)(PAGE - 1);

	assert_int_equal(resident(first, PAGES), 0);
	prefault_data();
	assert_int_equal(resident(first, PAGES), PAGES);
}

// How many of the pages below the stack of a new thread are resident, before and after.
static void *count_stack(void *arg)
{
	unsigned *count = arg;
	const uintptr_t here = (uintptr_t)__builtin_frame_address(0) & ~(uintptr_t)(PAGE - 1);
	const unsigned pages = PREFAULT_STACK / PAGE - 1; // the frames between take the rest
	const uintptr_t lowest = here - (uintptr_t)pages * PAGE;

	count[0] = resident(lowest, pages);
	prefault_stack();
	count[1] = resident(lowest, pages);
	return NULL;
}

TEST(test_stack)
{
	unsigned count[2] = {0};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, count_stack, count), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(count[0] < PREFAULT_STACK / PAGE - 1);
	assert_int_equal(count[1], PREFAULT_STACK / PAGE - 1);
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
