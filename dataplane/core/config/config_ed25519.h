// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Ed25519 keys as OpenSSL writes them into PEM files (RFC 8410): the one line of base64 between the
// first line and the last one. Pure; any thread.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

enum { CONFIG_ED25519_LEN = 32 };

// Reads the line of `openssl pkey -pubout`, 60 characters. False: it is no such key.
ATTR_MUST_CHECK bool config_ed25519_public(const char *text, uint8_t out[CONFIG_ED25519_LEN]);
// Reads the line of `openssl genpkey -algorithm ed25519`, which has `len` characters. False: it is
// no such key. The caller wipes `out`.
ATTR_MUST_CHECK bool config_ed25519_private(
	const char *text, size_t len, uint8_t out[CONFIG_ED25519_LEN]);
