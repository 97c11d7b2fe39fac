// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Seeded random numbers and message pieces for the DNS tests: the same run everywhere.

#include <stdlib.h>
#include <string.h>
#include <weir/bytes.h>
#include <weir/dns_proto.h>

struct dns_rand {
	uint64_t state;
};

// splitmix64
static inline uint64_t dns_rand_next(struct dns_rand *r)
{
	uint64_t z = (r->state += 0x9e3779b97f4a7c15u);
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static inline uint32_t dns_rand_below(struct dns_rand *r, uint32_t n)
{
	return (uint32_t)(dns_rand_next(r) >> 32) % n;
}

// Flips, overwrites, cuts and repeats bytes, as a careless or hostile sender would. The message
// has `len` bytes of `cap`; the new length comes back.
static inline size_t dns_rand_mutate(struct dns_rand *r, uint8_t *msg, size_t len, size_t cap)
{
	static const uint8_t telling[] = {0, 1, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xc0, 0xff, 12};
	for (uint32_t n = 1 + dns_rand_below(r, 4); n && len; n--) {
		size_t at = dns_rand_below(r, (uint32_t)len);
		switch (dns_rand_below(r, 6)) {
		case 0:
			msg[at] ^= (uint8_t)(1u << dns_rand_below(r, 8));
			break;
		case 1:
			msg[at] = telling[dns_rand_below(r, sizeof(telling))];
			break;
		case 2:
			msg[at] = (uint8_t)dns_rand_next(r);
			break;
		case 3: // a pointer to somewhere
			if (at + 2 <= len)
				put_u16(msg + at,
					(uint16_t)(0xc000 | dns_rand_below(r, (uint32_t)len)));
			break;
		case 4: {
			size_t n_move = dns_rand_below(r, 32),
			       to = dns_rand_below(r, (uint32_t)len);
			if (at + n_move <= len && to + n_move <= len)
				memmove(msg + to, msg + at, n_move);
			break;
		}
		default:
			if (dns_rand_below(r, 2)) {
				len = at;
			} else if (len < cap) {
				memmove(msg + at + 1, msg + at, len - at);
				len++;
			}
		}
	}
	return len;
}

// A copy in memory of exactly its size, so that ASan sees the first byte read beyond it.
static inline uint8_t *dns_exact_copy(const uint8_t *msg, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);
	if (!copy)
		abort();
	memcpy(copy, msg, len);
	return copy;
}
