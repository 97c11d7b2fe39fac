// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A counter that goes on by itself, read without a system call: cycles of x86-64's time stamp;
// on arm64 ticks of the virtual counter, which are longer than cycles.

#include <stdint.h>
#ifdef __x86_64__
#include <x86intrin.h>
#endif

static inline uint64_t cycles_now(void)
{
#if defined(__x86_64__)
	return __rdtsc();
#elif defined(__aarch64__)
	uint64_t ticks;
	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
	return ticks;
#else
#error "name the counter of this machine"
#endif
}

// No load before it is still under way behind it, and none behind it has begun.
static inline void cycles_fence(void)
{
#if defined(__x86_64__)
	_mm_lfence();
#elif defined(__aarch64__)
	__asm__ volatile("dsb ld\n\tisb" : : : "memory");
#endif
}
