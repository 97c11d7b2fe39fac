// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Time. Everything that both processes compare is CLOCK_MONOTONIC in milliseconds, so that it is
// the same clock in both and no wall-clock step reaches a TTL. Wall time is for logs and Redis.
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

static inline uint64_t clock_mono_ms(void)
{
	return CLOCK_AHEAD_MS + clock_ms_of(CLOCK_MONOTONIC);
}

// Same clock, up to one scheduler tick (4 ms) behind; always answered by the vDSO, so this is the
// one that a worker reads, once per batch, without a system call whatever the clock source.
static inline uint64_t clock_mono_coarse_ms(void)
{
	return CLOCK_AHEAD_MS + clock_ms_of(CLOCK_MONOTONIC_COARSE);
}

static inline uint64_t clock_mono_us(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return CLOCK_AHEAD_MS * 1000 + (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
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
