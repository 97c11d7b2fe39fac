// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// System calls that a thread may make, seccomp(2), by libseccomp.
//
// A program has a table of families (sandbox_calls.h) and of kinds of threads. A thread that loads
// a filter cannot take it off, and threads that it makes have it too; a second filter can only take
// more away. In SANDBOX_KILL any other call ends the process with SIGSYS, and the kernel's audit
// line has its number; in SANDBOX_LOG the call is made, and the kernel logs it (kernel.seccomp.
// actions_logged). A call is allowed by its number alone, or where one argument, or two, have given
// bits, or one is the process's own number or has not these bits. A filter costs the loading thread
// some 100 us once, and each call less than 0.1 us afterwards. A call of another ABI than the
// program's ends the process as well.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

enum sandbox_mode { SANDBOX_KILL, SANDBOX_LOG, SANDBOX_OFF };

// No call where `number` is below 0 (calls_absent.h). Any arguments where `mask` is 0; else
// where argument `arg`, of which the kernel reads 32 bits in these calls, is `value` under `mask`,
// and the argument behind it `next_value` under `next_mask`, unless that is 0. `is_own`: `value` is
// getpid() of who loads. `is_not`: where it is not `value` under `mask`, whatever is behind it.
struct sandbox_call {
	int number;
	unsigned arg;
	uint32_t mask, value, next_mask, next_value;
	bool is_own, is_not;
};

struct sandbox_family {
	const struct sandbox_call *call;
	unsigned count;
};

#define SANDBOX_FAMILY(calls) ((struct sandbox_family){(calls), sizeof(calls) / sizeof((calls)[0])})

enum { SANDBOX_FAMILIES_MAX = 16 };

// The calls of a kind of thread: up to SANDBOX_FAMILIES_MAX families; the rest has no calls.
struct sandbox_kind {
	const char *name;
	struct sandbox_family family[SANDBOX_FAMILIES_MAX];
};

// Not where a sanitizer is built in: it makes calls of its own.
bool sandbox_is_possible(void);

// For the calling thread, or for all threads of the process, of which then none may have a filter
// that the calling thread has not. Nothing in SANDBOX_OFF. -errno.
ATTR_MUST_CHECK int sandbox_load(
	const struct sandbox_kind *kind, enum sandbox_mode mode, bool all_threads);
