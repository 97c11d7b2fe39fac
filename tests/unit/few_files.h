// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A process that is out of files: its limit is `cap`, and copies of its standard input have all but
// one, which is for the test's own end of a connection.

#include "unit.h"

#include <sys/resource.h>

enum { FEW_FILES_MAX = 256 };

struct few_files {
	struct rlimit was;
	unsigned count;
	int filler[FEW_FILES_MAX];
};

static inline void few_files_begin(struct few_files *f, unsigned cap)
{
	assert_in_range(cap, 1, FEW_FILES_MAX);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &f->was), 0);
	struct rlimit few = f->was;
	few.rlim_cur = cap;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	f->count = 0;
	while (f->count < cap && (f->filler[f->count] = dup(0)) >= 0)
		f->count++;
	assert_in_range(f->count, 1, cap - 1);
	close(f->filler[--f->count]);
}

// As many files as before; the copies stay.
static inline void few_files_lift(const struct few_files *f)
{
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &f->was), 0);
}

static inline void few_files_close(struct few_files *f)
{
	while (f->count > 0)
		close(f->filler[--f->count]);
}
