// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Keyed hashes of names. XXH3 (64 bit) with a 192-octet random secret: short inputs mix the data
// with secret octets by multiplication, so without the secret an attacker cannot aim names at one
// bucket (CRC and seeded linear hashes can be aimed at; reliability rule 23). Secrets are made
// once, live in the header of the table they serve, and so survive restarts.

#include "attr.h"

#include <stddef.h>
#include <stdint.h>

enum { KEYHASH_SECRET_LEN = 192 };

struct keyhash_secret {
	uint8_t bytes[KEYHASH_SECRET_LEN];
};

// getrandom(2); 0 or -errno.
ATTR_MUST_CHECK int keyhash_secret_make(struct keyhash_secret *out);

uint64_t keyhash(const struct keyhash_secret *secret, const void *data, size_t len);

// Keyless XXH3-64, for checksums and content comparison only.
uint64_t contenthash(const void *data, size_t len);

// Incremental form of contenthash, for inputs that are not in one piece.
struct contenthash_state;
struct contenthash_state *contenthash_new(void); // NULL: no memory
void contenthash_update(struct contenthash_state *s, const void *data, size_t len);
uint64_t contenthash_finish(struct contenthash_state *s); // and frees it
