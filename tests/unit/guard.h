// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Memory between two pages that fault, so that an access of one byte too many ends the test, in
// any build: wide loads are what sanitizers see least of. Where the machine's pages are larger than
// GUARD_ROOM, the end alone is guarded.

#include "unit.h"

#include <weir/page.h>
#include <weir/shm_abi.h>

enum { GUARD_ROOM = SHM_PAGE };

struct guard {
	uint8_t *first, *end; // GUARD_ROOM bytes
};

static inline struct guard guard_open(void)
{
	const size_t page = page_size();
	uint8_t *m = mmap(NULL, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(m != MAP_FAILED);
	assert_int_equal(mprotect(m + page, page, PROT_READ | PROT_WRITE), 0);
	return (struct guard){.first = m + 2 * page - GUARD_ROOM, .end = m + 2 * page};
}

static inline void guard_close(struct guard *g)
{
	munmap(g->end - 2 * page_size(), 3 * page_size());
}
