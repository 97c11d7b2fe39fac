// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the readers of hiredis 0.14 and 1.2 want differently, under one shape. The newer one reads
// RESP3 too, hands out numbers as pointers where a maker of these objects is missing, and has no
// bound of depth. No state; any thread.

#include <hiredis/read.h>

#include <stddef.h>

#ifdef REDIS_REPLY_DOUBLE
typedef size_t hiredis_count;

static inline void *hiredis_no_double(const redisReadTask *, double, char *, size_t)
{
	return NULL;
}

static inline void *hiredis_no_bool(const redisReadTask *, int)
{
	return NULL;
}

#define HIREDIS_RESP3_REFUSED .createDouble = hiredis_no_double, .createBool = hiredis_no_bool
#else
typedef int hiredis_count;

#define HIREDIS_RESP3_REFUSED
#endif
