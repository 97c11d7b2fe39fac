// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// One's complement sums (RFC 1071) of packets and messages.
//
// Two forms. A *sum* is what the wire has: 16 bits, host order, the first byte high. A *wide sum*
// is 64 bits of words as they lie in memory with the carry brought round: neither the order of
// bytes in a word nor how many words are added at once matters to the result (RFC 1071 2), so
// parts are added wide, and folded and turned once at the end. 65535 divides 2^64 - 1, which is why
// a part that begins at an odd byte is turned by eight bits of the wide sum. Little-endian
// machines only, like the whole of the shared memory. Pure, inline: a call costs as much as the
// sum.

#include "attr.h"

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static_assert(__BYTE_ORDER == __LITTLE_ENDIAN);

ATTR_INLINE uint64_t csum_wide_add(uint64_t a, uint64_t b)
{
	uint64_t s;
	bool carry = __builtin_add_overflow(a, b, &s);
	return s + carry;
}

// The wide sum of `len` bytes, the last word padded with zero. Reads none besides.
ATTR_INLINE uint64_t csum_wide(const void *p, size_t len)
{
	const uint8_t *b = p;
	uint64_t s = 0, w, v;
	size_t i = 0;
	for (; i + 16 <= len; i += 16) {
		memcpy(&w, b + i, sizeof(w));
		memcpy(&v, b + i + 8, sizeof(v));
		s = csum_wide_add(csum_wide_add(s, w), v);
	}
	if (len & 8) {
		memcpy(&w, b + i, sizeof(w));
		s = csum_wide_add(s, w);
		i += 8;
	}
	size_t left = len - i;
	if (left == 0)
		return s;
	if (likely_(len >= 8)) { // the last eight, less those that are in the sum already
		memcpy(&w, b + len - 8, sizeof(w));
		return csum_wide_add(s, w >> (64 - 8 * left));
	}
	w = 0;
	for (; left; left--)
		w = w << 8 | b[left - 1];
	return w;
}

// The sum of a part that begins at byte `at` of the message.
ATTR_INLINE uint64_t csum_wide_at(size_t at, uint64_t part)
{
	unsigned turn = (at & 1) * 8;
	return part << turn | part >> (-turn & 63);
}

ATTR_INLINE uint64_t csum_widen(uint16_t sum)
{
	return htobe16(sum);
}

// 65535 times this is 2^64 - 1.
#define CSUM_WIDE_ONES UINT64_C(0x0001000100010001)

// The sum as the wire has it: the bytes as they lie in memory. For wide = 65535 q + r the product
// is (2^64 - 1) q + r CSUM_WIDE_ONES, and both its halves added up are r CSUM_WIDE_ONES, or all
// ones where r is 0 and q is not.
ATTR_INLINE uint16_t csum_fold_wire(uint64_t wide)
{
	unsigned __int128 product = (unsigned __int128)wide * CSUM_WIDE_ONES;
	return (uint16_t)(((uint64_t)product + (uint64_t)(product >> 64)) >> 48);
}

// The checksum to send for this sum: never 0, which in UDP means no checksum (RFC 768). As
// csum_fold_wire, except for 0 where r is 0.
ATTR_INLINE uint16_t csum_wide_send(uint64_t wide)
{
	unsigned __int128 product = (unsigned __int128)wide * CSUM_WIDE_ONES;
	return (uint16_t) ~(((uint64_t)product + (uint64_t)(product >> 64) + 1) >> 48);
}

// Does it fold to 0xffff, as what is whole with its checksum does? A test for being a multiple of
// 65535, by its inverse; so not of 0, which nothing comes to that has any bit set.
ATTR_INLINE bool csum_wide_is_whole(uint64_t wide)
{
	return wide * -CSUM_WIDE_ONES <= CSUM_WIDE_ONES;
}

ATTR_INLINE uint16_t csum_fold(uint64_t wide)
{
	return be16toh(csum_fold_wire(wide));
}

// Both are sums of bytes that are not all zero; those add up to 0xffff where others do to 0.
static inline bool csum_agree(uint16_t a, uint16_t b)
{
	return a % 0xffff == b % 0xffff;
}

static inline uint16_t csum_add(uint16_t a, uint16_t b)
{
	uint32_t s = (uint32_t)a + b;
	return (uint16_t)((s & 0xffff) + (s >> 16));
}

// The sum of len bytes, as above.
ATTR_INLINE uint16_t csum_partial(const void *p, size_t len)
{
	return csum_fold(csum_wide(p, len));
}
