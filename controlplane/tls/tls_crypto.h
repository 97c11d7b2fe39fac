// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Secrets that weir makes and checks, and signatures, by OpenSSL: random bytes, SHA-256, scrypt, a
// comparison whose time says nothing, HMAC, Ed25519. No state; any thread. Less than 1 us each for
// a short text, but for scrypt and Ed25519.

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
// Takes a time that depends only on `len`.
bool tls_secret_same(const uint8_t *a, const uint8_t *b, size_t len);

// HMAC (RFC 2104) over bytes that come in pieces. A value belongs to one thread and takes less than
// 1 KiB of OpenSSL's memory.
enum { TLS_HMAC_MAX = 64 };

struct tls_hmac;

// `digest`: OpenSSL's name ("SHA256"). NULL: no memory.
struct tls_hmac *tls_hmac_new(const char *digest, const uint8_t *key, size_t len);
ATTR_MUST_CHECK bool tls_hmac_add(struct tls_hmac *h, const void *bytes, size_t len);
// The code and the end of `h`. *len: the room in `out`, then the code's bytes. False: no memory.
// With `out` NULL only the end.
bool tls_hmac_end(struct tls_hmac *h, uint8_t out[TLS_HMAC_MAX], size_t *len);

// Signatures by Ed25519 (RFC 8032) over whole messages: some 100 us, and less than 4 KiB of
// OpenSSL's memory.
enum { TLS_ED25519_KEY_LEN = 32, TLS_ED25519_SIGNATURE_LEN = 64 };

// False: the signature is another key's or of other bytes, the key is none, or no memory.
ATTR_MUST_CHECK bool tls_ed25519_verify(const uint8_t key[TLS_ED25519_KEY_LEN],
	const uint8_t signature[TLS_ED25519_SIGNATURE_LEN], const void *bytes, size_t len);
// `key`: the private key, not the public one. False: no memory.
ATTR_MUST_CHECK bool tls_ed25519_sign(const uint8_t key[TLS_ED25519_KEY_LEN], const void *bytes,
	size_t len, uint8_t out[TLS_ED25519_SIGNATURE_LEN]);
