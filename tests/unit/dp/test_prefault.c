// SPDX-License-Identifier: BSD-3-Clause

// Prefaulting: pages that nobody has written yet are resident afterwards.
#include "dataplane/prefault.h"
#include "tests/unit/unit.h"

#include <pthread.h>
#include <sys/mman.h>

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

static void test_data(void **)
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

static void test_stack(void **)
{
	unsigned count[2] = {0};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, count_stack, count), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(count[0] < PREFAULT_STACK / PAGE - 1);
	assert_int_equal(count[1], PREFAULT_STACK / PAGE - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_data),
		cmocka_unit_test(test_stack),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
