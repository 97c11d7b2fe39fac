// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Small files that the configuration names, and secrets and passwords: of a file, of a systemd
// credential (`credential:NAME`, a file in $CREDENTIALS_DIRECTORY), or of a variable of the
// environment (`env:NAME`). Errors repeat neither a secret nor the value of its key.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

struct config_doc;

// The first `max` bytes of the file at `path`, in an `out` of one more, as a zero comes behind
// them. Of a plain file only (-EINVAL), as anything else could block the open or the read. Returns
// how many they are or -errno; the caller wipes them.
ATTR_MUST_CHECK int config_file_read(const char *path, char *out, size_t max);

// Gives each secret of what `value` names, of its `len` bytes, to `add`, which refuses a bad one in
// an error that does not repeat it. -EINVAL by config_refuse: that is bad, or has none.
struct config_secrets {
	const struct config_doc *doc;
	const char *key; // of `value`
	int (*add)(const struct config_secrets *s, const char *text, size_t len);
	void *arg; // of `add`
};
ATTR_MUST_CHECK int config_secrets_read(const struct config_secrets *s, const char *value);

enum { CONFIG_PASSWORD_MAX = 512 };
// The first line of what `value` names, for free() after explicit_bzero(). Refuses as the value of
// `key` a path that is not absolute, what cannot be read, an empty line, one that is too long.
ATTR_MUST_CHECK int config_password_read(
	const struct config_doc *doc, const char *key, const char *value, char **out);

// `len` bytes from twice as many hexadecimal digits, of either case. False: one is none.
bool config_hex_read(const char *text, uint8_t *out, size_t len);
