// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Small files that the configuration names, and secrets and passwords: from a file, a systemd
// credential (`credential:NAME`, a file in $CREDENTIALS_DIRECTORY), or an environment variable
// (`env:NAME`). Errors repeat neither a secret nor the value of its key.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

struct config_doc;

// Reads the first `max` bytes of the file at `path` into `out`, which has room for one more: a zero
// follows them. Reads a plain file only (-EINVAL), as anything else could block the open or the
// read. Returns the number of bytes, or -errno; the caller wipes `out`.
ATTR_MUST_CHECK int config_file_read(const char *path, char *out, size_t max);

// Calls `add` with each secret, of `len` bytes, in the file, credential or variable that `value`
// names; `add` refuses a bad secret in an error that does not repeat it. -EINVAL by config_refuse:
// it cannot be read, or has no secret, or a bad one.
struct config_secrets {
	const struct config_doc *doc;
	const char *key; // key of `value`, for messages
	int (*add)(const struct config_secrets *s, const char *text, size_t len);
	void *arg; // argument for `add`
};
ATTR_MUST_CHECK int config_secrets_read(const struct config_secrets *s, const char *value);

enum { CONFIG_PASSWORD_MAX = 512 };
// Reads the first line of the file, credential or variable that `value` names, for free() after
// explicit_bzero(). Refuses a path that is not absolute, what cannot be read, and a line that is
// empty or too long, as the value of `key`.
ATTR_MUST_CHECK int config_password_read(
	const struct config_doc *doc, const char *key, const char *value, char **out);

// Reads `len` bytes from twice as many hexadecimal digits of either case. False: some character is
// no digit.
bool config_hex_read(const char *text, uint8_t *out, size_t len);
