// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Bit i of a number: byte i of a vector is 255, where each byte is 0 or 255 (a comparison).
// One instruction of SSE2; elsewhere two multiplications (test_byte_mask compares both).

#include <stdint.h>
#include <string.h>
#include <weir/ascii.h>
#include <weir/attr.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

// The product has byte k's lowest bit in bit k of its top byte; no two of its terms meet.
ATTR_INLINE unsigned byte_mask_words(ascii_vector v)
{
	const uint64_t lowest = UINT64_C(0x0101010101010101), to_top = UINT64_C(0x0102040810204080);
	uint64_t half[2];
	memcpy(half, &v, sizeof(half));
	return (unsigned)((half[0] & lowest) * to_top >> 56)
	       | (unsigned)((half[1] & lowest) * to_top >> 56) << 8;
}

ATTR_INLINE unsigned byte_mask(ascii_vector v)
{
#ifdef __SSE2__
	return (unsigned)_mm_movemask_epi8((__m128i)v);
#else
	return byte_mask_words(v);
#endif
}
