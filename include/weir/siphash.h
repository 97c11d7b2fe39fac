// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// SipHash-2-4 (Aumasson, Bernstein 2012) word by word, for callers that have their input in words.
// Pure, in line; dns_cookie_many.c has its rounds for several inputs at once.

#include "attr.h"

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct sip {
	uint64_t v0, v1, v2, v3;
};

#define SIP_START_0 UINT64_C(0x736f6d6570736575)
#define SIP_START_1 UINT64_C(0x646f72616e646f6d)
#define SIP_START_2 UINT64_C(0x6c7967656e657261)
#define SIP_START_3 UINT64_C(0x7465646279746573)

enum { SIP_KEY_LEN = 16, SIP_END_MARK = 0xff };

ATTR_INLINE uint64_t sip_load(const uint8_t *p)
{
	uint64_t w;
	memcpy(&w, p, sizeof(w));
	return le64toh(w);
}

// The word that ends an input of `len` bytes; `left`: those behind the last whole word.
ATTR_INLINE uint64_t sip_last(uint64_t left, size_t len)
{
	return left | (uint64_t)len << 56;
}

ATTR_INLINE uint64_t sip_turn(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

ATTR_INLINE void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = sip_turn(s->v1, 13) ^ s->v0;
	s->v0 = sip_turn(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = sip_turn(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = sip_turn(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = sip_turn(s->v1, 17) ^ s->v2;
	s->v2 = sip_turn(s->v2, 32);
}

ATTR_INLINE struct sip sip_begin(const uint8_t key[SIP_KEY_LEN])
{
	const uint64_t k0 = sip_load(key), k1 = sip_load(key + 8);
	return (struct sip){k0 ^ SIP_START_0, k1 ^ SIP_START_1, k0 ^ SIP_START_2, k1 ^ SIP_START_3};
}

ATTR_INLINE void sip_word(struct sip *s, uint64_t w)
{
	s->v3 ^= w;
	sip_round(s);
	sip_round(s);
	s->v0 ^= w;
}

// After the last word.
ATTR_INLINE uint64_t sip_end(struct sip *s)
{
	s->v2 ^= SIP_END_MARK;
	for (unsigned n = 0; n < 4; n++)
		sip_round(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}
