// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Keyed hashes of names, with a random secret of 192 bytes. Secrets are made once, live in the
// header of the table they serve, and so survive restarts.
//
// The keyed hash chains multiplications of 64 by 64 bits whose 128 bits are folded, as wyhash and
// XXH3 do for short inputs: each 16 bytes are two factors, one of them behind secret words, the
// other behind the result for the bytes before them. The product of two unknown factors is linear
// in neither byte nor secret, so that without the secret nobody can aim names at one bucket (CRC
// and seeded linear hashes can be aimed at; reliability rule 23). A factor that is 0 loses what the
// other held; which bytes make one, only the secret says. Replies show whether a name is cached and
// never a hash. In line: for a name of usual length a call costs as much as the hash.

#include "attr.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { KEYHASH_SECRET_LEN = 192 };

struct keyhash_secret {
	uint8_t bytes[KEYHASH_SECRET_LEN];
};

// getrandom(2); 0 or -errno.
ATTR_MUST_CHECK int keyhash_secret_make(struct keyhash_secret *out);

ATTR_INLINE uint64_t keyhash_word(const void *p)
{
	uint64_t w;
	memcpy(&w, p, sizeof(w));
	return w;
}

ATTR_INLINE uint64_t keyhash_fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

// Word `i` of the secret, of 24.
ATTR_INLINE uint64_t keyhash_key(const struct keyhash_secret *s, unsigned i)
{
	return keyhash_word(s->bytes + 8 * i);
}

// Under 16 bytes, as two words that hold all of them, some twice; the length makes them distinct.
ATTR_INLINE void keyhash_short(const uint8_t *p, size_t len, uint64_t *a, uint64_t *b)
{
	if (len >= 8) {
		*a = keyhash_word(p);
		*b = keyhash_word(p + len - 8);
		return;
	}
	*a = *b = 0;
	for (size_t i = 0; i < len; i++)
		*a = *a << 8 | p[i];
}

// The last 16 bytes, or all of fewer, behind what the bytes before them came to. One product
// alone spreads names that differ in few bits badly under some secrets, so both of its halves are
// multiplied once more, as wyhash does.
ATTR_INLINE uint64_t keyhash_end(
	const struct keyhash_secret *secret, uint64_t a, uint64_t b, uint64_t h)
{
	unsigned __int128 product =
		(unsigned __int128)(a ^ keyhash_key(secret, 2)) * (b ^ h ^ keyhash_key(secret, 3));
	return keyhash_fold((uint64_t)product ^ keyhash_key(secret, 4),
		(uint64_t)(product >> 64) ^ keyhash_key(secret, 5));
}

// 16 bytes that are not the last, in two words.
ATTR_INLINE uint64_t keyhash_add(
	const struct keyhash_secret *secret, uint64_t a, uint64_t b, uint64_t h)
{
	return keyhash_fold(a ^ keyhash_key(secret, 1), b ^ h);
}

ATTR_INLINE uint64_t keyhash_begin(const struct keyhash_secret *secret, size_t len)
{
	return keyhash_key(secret, 0) + len;
}

ATTR_INLINE uint64_t keyhash(const struct keyhash_secret *secret, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t a, b, h = keyhash_begin(secret, len);
	if (likely_(len >= 16)) {
		for (size_t i = 0; i + 16 < len; i += 16)
			h = keyhash_add(secret, keyhash_word(p + i), keyhash_word(p + i + 8), h);
		a = keyhash_word(p + len - 16);
		b = keyhash_word(p + len - 8);
	} else {
		keyhash_short(p, len, &a, &b);
	}
	return keyhash_end(secret, a, b, h);
}

// keyhash with a secret of this process, for what a peer chooses and this process alone compares.
// Any thread.
uint64_t keyhash_here(const void *data, size_t len);

// Keyless XXH3-64, for checksums and content comparison only.
uint64_t contenthash(const void *data, size_t len);

// Incremental form of contenthash, for inputs that are not in one piece.
// The state is the caller's, on its stack or in a struct: nothing is allocated.
struct contenthash_state {
	alignas(64) uint8_t xxh3[576];
};
void contenthash_begin(struct contenthash_state *s);
void contenthash_update(struct contenthash_state *s, const void *data, size_t len);
uint64_t contenthash_finish(const struct contenthash_state *s);
