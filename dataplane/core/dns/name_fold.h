// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A name in lower case and its keyed hash, in one pass: the same as ascii_lower_copy and keyhash
// together (test_name_fold). The hash is made from the registers that the copy is stored from. Read
// back from memory, in other pieces than it was stored in, it would wait for the stores.

#include <string.h>
#include <weir/ascii.h>
#include <weir/keyhash.h>

typedef uint64_t name_fold_words __attribute__((vector_size(16)));

ATTR_INLINE ascii_vector name_fold_16(uint8_t *to, const uint8_t *from)
{
	ascii_vector v;
	memcpy(&v, from, sizeof(v));
	v = ascii_lower_16(v);
	memcpy(to, &v, sizeof(v));
	return v;
}

ATTR_INLINE uint64_t name_fold_8(uint8_t *to, const uint8_t *from)
{
	uint64_t w = ascii_lower_8(keyhash_word(from));
	memcpy(to, &w, sizeof(w));
	return w;
}

// `to` has room for `len` bytes, `from` holds as many; they do not overlap.
ATTR_INLINE uint64_t name_fold(
	const struct keyhash_secret *secret, uint8_t *to, const uint8_t *from, size_t len)
{
	uint64_t h = keyhash_begin(secret, len);
	if (likely_(len > 16 && len <= 32)) {
		name_fold_words first = (name_fold_words)name_fold_16(to, from);
		name_fold_words last =
			(name_fold_words)name_fold_16(to + len - 16, from + len - 16);
		h = keyhash_add(secret, first[0], first[1], h);
		return keyhash_end(secret, last[0], last[1], h);
	}
	if (likely_(len >= 8 && len <= 16)) {
		uint64_t a = name_fold_8(to, from), b = name_fold_8(to + len - 8, from + len - 8);
		return keyhash_end(secret, a, b, h);
	}
	ascii_lower_copy(to, from, len);
	return keyhash(secret, to, len);
}
