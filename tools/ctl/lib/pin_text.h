// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The pin of a certificate as libcurl takes it (CURLOPT_PINNEDPUBLICKEY).

#include <stdint.h>

enum { PIN_LEN = 32, PIN_TEXT_MAX = 56 };

// "sha256//BASE64" of the SHA-256 of a public key.
void pin_text(const uint8_t pin[PIN_LEN], char out[PIN_TEXT_MAX]);
