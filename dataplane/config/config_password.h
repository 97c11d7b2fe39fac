// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Passwords that stand in files of their own.

#include "config_doc.h"

enum { CONFIG_PASSWORD_MAX = 512 };

// The first line of the plain file at `path`, for free() after explicit_bzero(). Refuses as the
// value of `key` a path that is not absolute, a file that cannot be read, an empty line, one that
// is too long.
ATTR_MUST_CHECK int config_password_read(
	const struct config_doc *doc, const char *key, const char *path, char **out);
