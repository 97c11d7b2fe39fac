// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Memory between two pages that fault, so that an access of one byte too many ends the test, in
// any build: wide loads are what sanitizers see least of.

#include "unit.h"

#include <weir/shm_abi.h>

enum { GUARD_ROOM = SHM_PAGE };

struct guard {
	uint8_t *first, *end; // GUARD_ROOM bytes
};

static inline struct guard guard_open(void)
{
	uint8_t *m = mmap(NULL, 3 * SHM_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(m != MAP_FAILED);
	assert_int_equal(mprotect(m + SHM_PAGE, GUARD_ROOM, PROT_READ | PROT_WRITE), 0);
	return (struct guard){.first = m + SHM_PAGE, .end = m + SHM_PAGE + GUARD_ROOM};
}

static inline void guard_close(struct guard *g)
{
	munmap(g->first - SHM_PAGE, 3 * SHM_PAGE);
}
