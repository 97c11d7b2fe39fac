// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Unpredictable numbers for message IDs, ports and letter case, from getrandom(2): 512 bytes at a
// time, which are wiped as they are used, so that no state reveals old numbers. One per thread.

#include <stddef.h>
#include <stdint.h>

struct rng {
	uint8_t pool[512];
	size_t left; // bytes of the pool not yet used, at its end
};

void rng_bytes(struct rng *r, void *out, size_t len); // aborts if getrandom(2) fails
uint16_t rng_u16(struct rng *r);
