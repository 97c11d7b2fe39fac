// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A line of the log about memory, each runtime.log_memory_s seconds: both processes, bytes of no
// account, the accounts that gained most since the line before, and the fullest tables. From the
// sample of each second; keeps the sample of the last line. Service loop.

#include "memory_sample.h"

#include <stddef.h>

enum { MEMORY_LINE_MAX = 512, MEMORY_LINE_TOP = 3 };

struct memory_line {
	bool is_begun;
	struct memory_sample last; // the sample of the line before, or of the start
};

// `every_s` 0: no lines. Writes the line when it is due into `out`, and returns it; else NULL.
const char *memory_line_take(struct memory_line *l, const struct memory_sample *s, unsigned every_s,
	char out[MEMORY_LINE_MAX]);
