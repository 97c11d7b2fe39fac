// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What zipf_load asks and zipf_upstream answers: z<NUMBER>.zipf.test AAAA. The TTL follows from the
// number, and the address says which answer it is: fd53:0:<number>:<serial>:<when it was given>,
// 32 bits each. The serial grows with every answer; the time is that of CLOCK_MONOTONIC in ms, the
// same for all processes of a machine. So a reply tells whether its data existed when it was asked
// for, however long it took.

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum { ZIPF_TYPE = 28, ZIPF_RDATA = 16, ZIPF_PREFIX = 0xfd530000 };

struct zipf_ttl {
	uint32_t min_s, max_s;
};

static inline uint64_t zipf_mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static inline uint32_t zipf_ttl_s(const struct zipf_ttl *t, uint32_t number)
{
	return t->min_s + (uint32_t)(zipf_mix(number) % (t->max_s - t->min_s + 1));
}

static inline uint64_t zipf_clock_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static inline uint32_t zipf_clock_ms(void)
{
	return (uint32_t)(zipf_clock_us() / 1000);
}

// Of times that lie less than 24 days apart.
static inline bool zipf_after(uint32_t a_ms, uint32_t b_ms)
{
	return (int32_t)(a_ms - b_ms) > 0;
}
