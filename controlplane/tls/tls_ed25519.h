// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Signatures by Ed25519 (RFC 8032) over whole messages, by OpenSSL. No state; any thread. Some
// 100 us, and OpenSSL's memory, less than 4 KiB.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

enum { TLS_ED25519_KEY_LEN = 32, TLS_ED25519_SIGNATURE_LEN = 64 };

// False: the signature is another key's or of other bytes, the key is none, or no memory.
ATTR_MUST_CHECK bool tls_ed25519_verify(const uint8_t key[TLS_ED25519_KEY_LEN],
	const uint8_t signature[TLS_ED25519_SIGNATURE_LEN], const void *bytes, size_t len);
