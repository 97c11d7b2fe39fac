// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Lines of the files of tokens and passwords: fields with one blank between, bytes as hexadecimal
// digits. Any bytes may be read. Any thread.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

enum { ACCESS_FIELD_MAX = 80, ACCESS_FILE_WHY_MAX = 96 };

// Exactly `count` fields of a line without its end, each NUL-terminated. False: it has others.
bool access_fields(const char *line, size_t len, char (*field)[ACCESS_FIELD_MAX], unsigned count);
// Takes each line behind `head`, without its end. -EINVAL with `why`: the text does not begin with
// `head` ("not a file of WHAT"), or take() is false for a line ("line 2 is damaged").
struct access_file {
	const char *head, *what;
	bool (*take)(void *table, const char *line, size_t len);
};
ATTR_MUST_CHECK int access_file_read(const struct access_file *f, void *table, const char *text,
	size_t len, char why[ACCESS_FILE_WHY_MAX]);
void access_hex_write(const uint8_t *bytes, size_t len, char *out); // 2 * len + 1 bytes
bool access_hex_read(const char *text, uint8_t *out, size_t len);   // lower case alone
