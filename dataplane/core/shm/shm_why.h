// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// How the region and path code reports what it found and what it expected: one sentence in the
// caller's buffer, the error as return value. Names come from the configuration and from weir's own
// code, so they need no escaping.

#include <stdarg.h>
#include <stdio.h>
#include <weir/attr.h>
#include <weir/shm_region.h>

ATTR_PRINTF(3, 4)
static inline int shm_fail(char why[SHM_WHY_MAX], int err, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	vsnprintf(why, SHM_WHY_MAX, fmt, args);
	va_end(args);
	return -err;
}
