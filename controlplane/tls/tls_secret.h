// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Secrets that weir makes and checks, by OpenSSL: random bytes, SHA-256, scrypt, a comparison whose
// time says nothing. No state; any thread. Less than 1 us each for a short text, but for scrypt.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

enum { TLS_SHA256_LEN = 32, TLS_SALT_LEN = 16 };

// False: there is no randomness, or no memory.
ATTR_MUST_CHECK bool tls_secret_make(uint8_t *out, size_t len);
ATTR_MUST_CHECK bool tls_sha256(const void *bytes, size_t len, uint8_t out[TLS_SHA256_LEN]);
// scrypt (RFC 7914) with N = 2^14, r = 8, p = 5: 16 MiB of memory, some 150 ms. Not on a loop's
// thread. False: no memory.
ATTR_MUST_CHECK bool tls_scrypt(
	const char *password, const uint8_t salt[TLS_SALT_LEN], uint8_t out[TLS_SHA256_LEN]);
// In a time that depends on `len` alone.
bool tls_secret_same(const uint8_t *a, const uint8_t *b, size_t len);
