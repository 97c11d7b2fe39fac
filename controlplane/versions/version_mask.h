// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A text of the configuration without the secrets that it may hold: of each URL the user, the
// password and the query (url.h), of a webhook's the path, too, and the value of each key with
// `password`, `secret` or `token` at the end of its name. References (a path, `credential:`,
// `env:`) stay. Any thread.

#include <stddef.h>

// For free(); NULL: no memory.
char *version_mask(const char *text, size_t len);
