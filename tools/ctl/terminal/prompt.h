// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Reads lines that a person types on standard input; prompts are on standard error. One thread.

#include <stdbool.h>
#include <stddef.h>
#include <weir/attr.h>

// Reads a line without its newline. False: there is no line, or `out` cannot hold it.
ATTR_MUST_CHECK bool prompt_line(char *out, size_t cap);
// Writes `prompt`, then reads a line.
ATTR_MUST_CHECK bool prompt_ask(const char *prompt, char *out, size_t cap);
// Writes `prompt`, then reads a line from a terminal without echo. A signal that ends the program
// (SIGHUP, SIGINT, SIGTERM) meanwhile ends it only after the echo is on again.
ATTR_MUST_CHECK bool prompt_secret(const char *prompt, char *out, size_t cap);
