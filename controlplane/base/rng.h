// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Unpredictable numbers for query ids, ports and letter case: getrandom(2), fetched 512 bytes at a
// time and wiped as they are used. One per thread; no state survives that would reveal old numbers.

#include <stddef.h>
#include <stdint.h>

struct rng {
	uint8_t pool[512];
	size_t left; // bytes of the pool not yet used, at its end
};

void rng_bytes(struct rng *r, void *out, size_t len); // aborts if the kernel gives none
uint16_t rng_u16(struct rng *r);
