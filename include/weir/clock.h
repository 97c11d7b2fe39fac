// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Time. Times that both processes compare are CLOCK_BOOTTIME in milliseconds: both processes have
// the same clock, and no step of the wall clock changes a limit or a pause. It runs on while the
// machine is suspended, as TTLs do. CLOCK_MONOTONIC stands still then; it is for timers of the
// kernel and libevent. Wall time is for logs and Redis.
//
// CLOCK_BOOTTIME begins when the machine boots, but records of other boxes may be older and need a
// date. So weir's clock is ahead of it by 49 days, after which every record is gone.

// A build with -Dfault_points=true has a clock for tests: CLOCK_BOOTTIME and wall time as all of
// weir reads them are ahead of the kernel's by a word that a test moves, as if the machine had been
// suspended for so long (dataplane/core/os/clock_ahead.c says what is ahead, and what is not).

#include <stdint.h>
#include <time.h>

#define CLOCK_AHEAD_MS (UINT64_C(1) << 32)

static inline uint64_t clock_ms_of(clockid_t id)
{
	struct timespec ts;
	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static inline uint64_t clock_us_of(clockid_t id)
{
	struct timespec ts;
	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static inline uint64_t clock_mono_ms(void)
{
	return CLOCK_AHEAD_MS + clock_ms_of(CLOCK_BOOTTIME);
}

static inline uint64_t clock_mono_us(void)
{
	return CLOCK_AHEAD_MS * 1000 + clock_us_of(CLOCK_BOOTTIME);
}

// How long the machine has been suspended since it booted: CLOCK_BOOTTIME less CLOCK_MONOTONIC.
// `before` is the last result. It is returned again where the difference is no more than two
// readings make, or where the thread was held up between them each time.
enum { CLOCK_SUSPEND_MS = 20, CLOCK_READ_US = 1000, CLOCK_TRIES = 10 };
static inline uint64_t clock_suspended_ms(uint64_t before)
{
	for (int i = 0; i < CLOCK_TRIES; i++) {
		uint64_t first = clock_us_of(CLOCK_MONOTONIC);
		uint64_t now = clock_us_of(CLOCK_BOOTTIME);
		if (clock_us_of(CLOCK_MONOTONIC) - first > CLOCK_READ_US || now < first)
			continue;
		uint64_t ms = (now - first) / 1000;
		uint64_t change = ms > before ? ms - before : before - ms;
		return change > CLOCK_SUSPEND_MS ? ms : before;
	}
	return before;
}

// How far the wall clock is ahead of CLOCK_BOOTTIME, or behind it. `before` is the last result,
// returned again where the thread was held up between the two readings each time.
static inline int64_t clock_wall_ahead_ms(int64_t before)
{
	for (int i = 0; i < CLOCK_TRIES; i++) {
		uint64_t first = clock_us_of(CLOCK_BOOTTIME);
		uint64_t wall = clock_us_of(CLOCK_REALTIME);
		if (clock_us_of(CLOCK_BOOTTIME) - first <= CLOCK_READ_US)
			return ((int64_t)wall - (int64_t)first) / 1000;
	}
	return before;
}

// That moment of clock_mono_ms by the kernel's CLOCK_MONOTONIC, in milliseconds; 0: it has passed.
// Earlier than that by as long as we are held up in here, never later.
static inline uint64_t clock_kernel_ms(uint64_t at_ms)
{
	uint64_t kernel_ms = clock_ms_of(CLOCK_MONOTONIC), now_ms = clock_mono_ms();
	return at_ms > now_ms ? kernel_ms + (at_ms - now_ms) : 0;
}

// clock_mono_ms, up to one scheduler tick (4 ms) behind; `suspended_ms` is from clock_suspended_ms.
// Always answered by the vDSO, so a worker reads this one, once per batch, without a system call
// whatever the clock source, at 1/8 the cost of CLOCK_BOOTTIME (docs/explanation/architecture.md).
static inline uint64_t clock_mono_coarse_ms(uint64_t suspended_ms)
{
	return CLOCK_AHEAD_MS + suspended_ms + clock_ms_of(CLOCK_MONOTONIC_COARSE);
}

// `ms` from now by CLOCK_MONOTONIC itself, for pthread_cond_timedwait() and similar calls.
static inline struct timespec clock_deadline(uint64_t ms)
{
	struct timespec at;
	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += (time_t)(ms / 1000);
	at.tv_nsec += (long)(ms % 1000) * 1000000;
	if (at.tv_nsec >= 1000000000) {
		at.tv_sec++;
		at.tv_nsec -= 1000000000;
	}
	return at;
}
