// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Text as one word of a POSIX shell, for commands that weirctl proposes. Any thread.

#include <stddef.h>

enum { SHELL_QUOTE_MAX = 1024 };

// Plain words stay as they are, others stand in single quotes. What does not fit ends early, within
// its quotes. Returns `out`.
char *shell_quote(const char *text, char out[SHELL_QUOTE_MAX]);
// The same; it lives until the end of the enclosing block.
#define SHELL_QUOTE(text) shell_quote((text), (char[SHELL_QUOTE_MAX]){""})
