// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// ASCII letter case, for DNS names (RFC 4343): only A to Z change, whatever the locale.
//
// A wire name may be lowered as a whole, because its length bytes (at most 63) lie below 'A'.
// Type and class behind it may not: type 65 (HTTPS) is an 'A'. Sixteen bytes per step, no tables.

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint8_t ascii_lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

// Eight bytes at once: bit 7 of `upper` is set in each byte that is a letter A to Z, because the
// additions carry into it from 'A' on and no longer from 'Z' + 1 on.
static inline uint64_t ascii_lower_8(uint64_t w)
{
	const uint64_t ones = 0x0101010101010101u;
	uint64_t low7 = w & (0x7f * ones);
	uint64_t upper = (low7 + (0x80 - 'A') * ones) & ~(low7 + (0x7f - 'Z') * ones) & ~w;
	return w | (upper & (0x80 * ones)) >> 2;
}

// Bit 7 of each byte that is a letter a to z.
static inline uint64_t ascii_small_8(uint64_t w)
{
	const uint64_t ones = 0x0101010101010101u;
	uint64_t low7 = w & (0x7f * ones);
	return (low7 + (0x80 - 'a') * ones) & ~(low7 + (0x7f - 'z') * ones) & ~w & (0x80 * ones);
}

// Upper case for the small letters among n bytes whose bit is set: byte i has bit i % 8 of
// upper[i / 8]. No branch on a bit, which could be random.
static inline void ascii_raise(uint8_t *p, size_t n, const uint8_t *upper)
{
	size_t i = 0;
	for (; i + 8 <= n; i += 8) {
		// Bit k in byte k, which the addition moves to bit 7.
		uint64_t bits = upper[i / 8] * UINT64_C(0x0101010101010101);
		bits = (bits & UINT64_C(0x8040201008040201)) + UINT64_C(0x7f7f7f7f7f7f7f7f);
		uint64_t w;
		memcpy(&w, p + i, sizeof(w));
		w -= (ascii_small_8(w) & bits) >> 2;
		memcpy(p + i, &w, sizeof(w));
	}
	for (; i < n; i++) {
		unsigned small = (uint8_t)(p[i] - 'a') <= 'z' - 'a';
		p[i] -= (uint8_t)((small & (unsigned)upper[i / 8] >> i % 8) * ('a' - 'A'));
	}
}

// Sets such a bit for each letter A to Z of n bytes, in bytes of `upper` that are 0.
static inline void ascii_raised(const uint8_t *p, size_t n, uint8_t *upper)
{
	size_t i = 0;
	for (; i + 8 <= n; i += 8) {
		uint64_t w;
		memcpy(&w, p + i, sizeof(w));
		// 0x20 in each byte that is one. The product has byte k's in bit k of its top byte.
		uint64_t raised = (ascii_lower_8(w) ^ w) >> 5;
		upper[i / 8] = (uint8_t)(raised * UINT64_C(0x0102040810204080) >> 56);
	}
	for (; i < n; i++)
		upper[i / 8] |= (uint8_t)((p[i] != ascii_lower(p[i])) << i % 8);
}

typedef uint8_t ascii_vector __attribute__((vector_size(16)));
typedef int8_t ascii_signed_vector __attribute__((vector_size(16)));

static inline ascii_vector ascii_lower_16(ascii_vector v)
{
	// All bits of each byte that is one. Turned so that 'A' is the least signed byte there
	// is, because vectors compare signed ones at once.
	ascii_signed_vector turned = (ascii_signed_vector)(v + (0x80 - 'A'));
	ascii_vector upper = (ascii_vector)(turned < INT8_MIN + 26);
	return v | (upper & 0x20);
}

// dst and src may be the same, but may not overlap otherwise. The final two words may overlap.
static inline void ascii_lower_copy(uint8_t *dst, const uint8_t *src, size_t n)
{
	ascii_vector v;
	uint64_t w;
	if (n >= sizeof(v)) {
		for (size_t i = 0; i + sizeof(v) <= n; i += sizeof(v)) {
			memcpy(&v, src + i, sizeof(v));
			v = ascii_lower_16(v);
			memcpy(dst + i, &v, sizeof(v));
		}
		memcpy(&v, src + n - sizeof(v), sizeof(v));
		v = ascii_lower_16(v);
		memcpy(dst + n - sizeof(v), &v, sizeof(v));
		return;
	}
	if (n < sizeof(w)) {
		for (size_t i = 0; i < n; i++)
			dst[i] = ascii_lower(src[i]);
		return;
	}
	memcpy(&w, src, sizeof(w));
	w = ascii_lower_8(w);
	memcpy(dst, &w, sizeof(w));
	memcpy(&w, src + n - sizeof(w), sizeof(w));
	w = ascii_lower_8(w);
	memcpy(dst + n - sizeof(w), &w, sizeof(w));
}
