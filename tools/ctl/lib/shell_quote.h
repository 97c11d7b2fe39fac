// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Quotes a text as one word of a POSIX shell, for commands that weirctl proposes. Any thread.

#include <stddef.h>

enum { SHELL_QUOTE_MAX = 1024 };

// Plain words are copied, others get single quotes. A word that does not fit is cut inside its
// quotes. Returns `out`.
char *shell_quote(const char *text, char out[SHELL_QUOTE_MAX]);
// Quotes into an array that lives until the end of the enclosing block.
#define SHELL_QUOTE(text) shell_quote((text), (char[SHELL_QUOTE_MAX]){""})
