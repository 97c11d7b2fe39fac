// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// HMAC (RFC 2104) by OpenSSL, over bytes that come in pieces. No thread of its own; a value belongs
// to one thread. Takes OpenSSL's memory, less than 1 KiB.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

enum { TLS_HMAC_MAX = 64 };

struct tls_hmac;

// `digest`: OpenSSL's name ("SHA256"). NULL: no memory.
struct tls_hmac *tls_hmac_new(const char *digest, const uint8_t *key, size_t len);
ATTR_MUST_CHECK bool tls_hmac_add(struct tls_hmac *h, const void *bytes, size_t len);
// The code and the end of `h`. *len: the room in `out`, then the code's bytes. False: no memory.
// With `out` NULL only the end.
bool tls_hmac_end(struct tls_hmac *h, uint8_t out[TLS_HMAC_MAX], size_t *len);
