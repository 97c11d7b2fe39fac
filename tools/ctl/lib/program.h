// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Runs a program of the system: by its absolute path, without a shell. The program's input is
// /dev/null, its output goes to standard error.

#include <stddef.h>
#include <weir/attr.h>

// `args`: the path and the arguments, the last one NULL; the path is below WEIR_ROOT (sysroot.h).
// Waits for the end of the program, and kills it after `timeout_ms`. Returns its exit status (128
// and more: a signal), or -errno: -ENOENT: there is no such program; -ETIMEDOUT.
ATTR_MUST_CHECK int program_run(const char *const args[], unsigned timeout_ms);
// Runs a program as program_run does, and copies the first cap - 1 bytes of its standard output to
// `out`, with a NUL at the end. A program that writes more than a pipe holds is killed at the
// deadline.
ATTR_MUST_CHECK int program_read(
	const char *const args[], unsigned timeout_ms, char *out, size_t cap);
