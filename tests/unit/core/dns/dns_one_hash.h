// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Labels that have one hash to dns_compress.c, as anybody can make them: of two words, the second
// takes back what the first did.

#include "dataplane/core/dns/dns_compress.h"

#include <stdio.h>
#include <weir/ascii.h>
#include <weir/keyhash.h>

enum { ONE_HASH_LEN = 16 }; // with the length byte

#define ONE_HASH_OF 0x123456789abcdef1u

// What follows the first word of a label of 14 or 15 bytes, with what the hash is then made of: 0
// of that is a hash of 0. False if no such label is in lower case.
static inline bool one_hash_end(uint8_t label[ONE_HASH_LEN], uint64_t of)
{
	uint8_t lower[ONE_HASH_LEN];
	uint64_t last =
		keyhash_fold(DNS_COMPRESS_FIRST ^ keyhash_word(label), DNS_COMPRESS_FACTOR) ^ of;
	memcpy(label + 8, &last, sizeof(last));
	ascii_lower_copy(lower, label, sizeof(lower));
	return memcmp(lower, label, sizeof(lower)) == 0 && (label[0] == 15 || label[15] == 0);
}

// The n-th of them.
static inline void one_hash_label(unsigned n, uint8_t label[ONE_HASH_LEN])
{
	for (unsigned turn = 0;; turn++) {
		memcpy(label, "\17aaaaaaa", 8);
		for (unsigned i = 0; i < 7; i++)
			label[1 + i] += turn >> 4 * i & 15;
		if (one_hash_end(label, ONE_HASH_OF) && n-- == 0)
			return;
	}
}

// As text without the length byte, in room for 4 * ONE_HASH_LEN.
static inline void one_hash_text(unsigned n, char *text)
{
	uint8_t label[ONE_HASH_LEN];
	one_hash_label(n, label);
	for (unsigned i = 1; i < ONE_HASH_LEN; i++, text += 4)
		snprintf(text, 5, "\\%03u", label[i]);
}
