// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Decodes base64url without padding (RFC 4648 5), strictly: each string of bytes has one spelling.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// `out` has room for 3 bytes of each 4 characters. False: the text is none.
bool doh_base64url(const uint8_t *text, size_t n, uint8_t *out, size_t *len);
