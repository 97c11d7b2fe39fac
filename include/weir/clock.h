// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Time. Everything that both processes compare is CLOCK_BOOTTIME in milliseconds, so that it is the
// same clock in both and no wall-clock step reaches a limit or a pause. It runs on while the
// machine is suspended, as TTLs do; CLOCK_MONOTONIC stands still then, and is for what the kernel
// and libevent measure by it. Wall time is for logs and Redis.
//
// That clock begins when the machine does, but what other boxes keep may have been made days before
// and must be given a date. So ours is ahead of it by the 49 days after which every record is gone.

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

// How long the machine has been suspended since it booted: what CLOCK_BOOTTIME has ahead of
// CLOCK_MONOTONIC. `before`: what the last look found; it stands where the difference is no more
// than reading two clocks makes, or where we were held up between them each time.
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

// What the wall clock has ahead of CLOCK_BOOTTIME, or is behind it. `before`: what the last look
// found; it stands where we were held up between the two readings each time.
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

// clock_mono_ms, up to one scheduler tick (4 ms) behind, by what clock_suspended_ms found last.
// Always answered by the vDSO, so a worker reads this one, once per batch, without a system call
// whatever the clock source, at 1/8 the cost of CLOCK_BOOTTIME (docs/explanation/architecture.md).
static inline uint64_t clock_mono_coarse_ms(uint64_t suspended_ms)
{
	return CLOCK_AHEAD_MS + suspended_ms + clock_ms_of(CLOCK_MONOTONIC_COARSE);
}

// That long from now, for what waits by CLOCK_MONOTONIC itself (pthread_cond_timedwait() and the
// like), so not ahead of it.
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
