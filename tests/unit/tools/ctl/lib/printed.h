// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What is written on stdout between two calls.

#include "tests/unit/unit.h"

static FILE *printed_file;
static int printed_stdout;

static inline void printed_begin(void)
{
	printed_file = tmpfile();
	assert_non_null(printed_file);
	printed_stdout = dup(STDOUT_FILENO);
	fflush(stdout);
	assert_true(dup2(fileno(printed_file), STDOUT_FILENO) >= 0);
}

// Until the next call.
static inline const char *printed_end(void)
{
	static char out[65536];
	fflush(stdout);
	dup2(printed_stdout, STDOUT_FILENO);
	close(printed_stdout);
	rewind(printed_file);
	out[fread(out, 1, sizeof(out) - 1, printed_file)] = '\0';
	fclose(printed_file);
	return out;
}
