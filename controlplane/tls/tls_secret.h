// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Secrets that weir makes and checks, by OpenSSL: random bytes, SHA-256, a comparison whose time
// says nothing. No state; any thread. Less than 1 us each for a short text.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

enum { TLS_SHA256_LEN = 32 };

// False: there is no randomness, or no memory.
ATTR_MUST_CHECK bool tls_secret_make(uint8_t *out, size_t len);
ATTR_MUST_CHECK bool tls_sha256(const void *bytes, size_t len, uint8_t out[TLS_SHA256_LEN]);
// In a time that depends on `len` alone.
bool tls_secret_same(const uint8_t *a, const uint8_t *b, size_t len);
