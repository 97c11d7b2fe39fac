// SPDX-License-Identifier: BSD-3-Clause
#include "access_text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char hex[] = "0123456789abcdef";

void access_hex_write(const uint8_t *bytes, size_t len, char *out)
{
	for (size_t i = 0; i < len; i++) {
		out[2 * i] = hex[bytes[i] >> 4];
		out[2 * i + 1] = hex[bytes[i] & 15];
	}
	out[2 * len] = '\0';
}

bool access_hex_read(const char *text, uint8_t *out, size_t len)
{
	if (strlen(text) != 2 * len || strspn(text, hex) != 2 * len)
		return false;
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)((strchr(hex, text[2 * i]) - hex) << 4
				   | (strchr(hex, text[2 * i + 1]) - hex));
	return true;
}

bool access_fields(const char *line, size_t len, char (*field)[ACCESS_FIELD_MAX], unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		const char *end = i + 1 < count ? memchr(line, ' ', len) : line + len;
		const size_t n = end ? (size_t)(end - line) : ACCESS_FIELD_MAX;
		if (n == 0 || n >= ACCESS_FIELD_MAX || memchr(line, '\0', n))
			return false;
		memcpy(field[i], line, n);
		field[i][n] = '\0';
		line += n + 1;
		len -= i + 1 < count ? n + 1 : n;
	}
	return true;
}

int access_file_read(const struct access_file *f, void *table, const char *text, size_t len,
	char why[ACCESS_FILE_WHY_MAX])
{
	const size_t head = strlen(f->head);
	if (len < head || memcmp(text, f->head, head) != 0) {
		snprintf(why, ACCESS_FILE_WHY_MAX, "not a file of %s", f->what);
		return -EINVAL;
	}
	for (size_t at = head, line = 2; at < len; line++) {
		const char *end = memchr(text + at, '\n', len - at);
		if (!end || !f->take(table, text + at, (size_t)(end - text) - at)) {
			snprintf(why, ACCESS_FILE_WHY_MAX, "line %zu is damaged", line);
			return -EINVAL;
		}
		at = (size_t)(end - text) + 1;
	}
	return 0;
}
