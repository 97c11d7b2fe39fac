// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A worker's mark on a record (shm_abi.h).

#include <weir/shm_abi.h>

// One more hit; at MARK_HITS_MAX the byte stays as it is, and its line clean.
static inline uint8_t mark_hit(uint8_t mark)
{
	return mark < MARK_HITS ? (uint8_t)(mark + MARK_HIT) : mark;
}
