// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Base64 with its padding (RFC 4648 4), strictly: no spaces, and each string of bytes has one
// spelling. Pure.

#include "attr.h"

#include <stddef.h>
#include <stdint.h>

// At most `max` bytes. How many they are; -EINVAL: it is no base64, or of more.
ATTR_MUST_CHECK int base64_read(const char *text, size_t len, uint8_t *out, size_t max);
