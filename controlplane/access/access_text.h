// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Lines of the files of tokens and passwords: fields with one blank between, bytes as hexadecimal
// digits, times. Any bytes may be read. Any thread.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ACCESS_FIELD_MAX = 80 };

// Exactly `count` fields of a line without its end, each NUL-terminated. False: it has others.
bool access_fields(const char *line, size_t len, char (*field)[ACCESS_FIELD_MAX], unsigned count);
void access_hex_write(const uint8_t *bytes, size_t len, char *out); // 2 * len + 1 bytes
bool access_hex_read(const char *text, uint8_t *out, size_t len);   // lower case alone
bool access_time_read(const char *text, int64_t *out);
