// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Short names for the attributes of weir's declarations, and the one cache line size that every
// layout in shared memory is written for.

#include <assert.h>   // static_assert: no keyword yet in gcc 12
#include <stdalign.h> // for alignas

#define ATTR_MUST_CHECK     __attribute__((warn_unused_result))
#define ATTR_NONNULL        __attribute__((nonnull))
#define ATTR_NONNULL_N(...) __attribute__((nonnull(__VA_ARGS__)))
#define ATTR_PRINTF(f, a)   __attribute__((format(printf, f, a)))
#define ATTR_INLINE         static inline __attribute__((always_inline))

#define CACHE_LINE 64

#define likely_(x)   __builtin_expect(!!(x), 1)
#define unlikely_(x) __builtin_expect(!!(x), 0)
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

// Asks for a line as far as the second-level cache. A core can have few lines on their way into the
// first (24 on Zen 4); with as many from memory under way, all else that misses it waits.
ATTR_INLINE void prefetch_far(const volatile void *p)
{
	enum { READ = 0, SECOND_LEVEL = 2 };
	__builtin_prefetch((const void *)(__UINTPTR_TYPE__)p, READ, SECOND_LEVEL);
}
