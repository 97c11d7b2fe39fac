// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A program of the system that weirctl runs: by its absolute path, with its arguments as they are,
// without a shell. Its input is /dev/null, its output is on standard error.

#include <stddef.h>
#include <weir/attr.h>

// `args`: the path and the arguments, the last one NULL; the path is below WEIR_ROOT (sysroot.h).
// Waits for its end, and kills it after `timeout_ms`. Its exit status (128 and more: a signal), or
// -errno: -ENOENT without the program, -ETIMEDOUT.
ATTR_MUST_CHECK int program_run(const char *const args[], unsigned timeout_ms);
// The same for its standard output, of which `out` gets the first cap - 1 bytes with a NUL behind
// them; a program that writes more than a pipe holds is killed at the deadline.
ATTR_MUST_CHECK int program_read(
	const char *const args[], unsigned timeout_ms, char *out, size_t cap);
