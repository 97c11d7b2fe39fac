// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Lines that a person types. Standard input is read; a prompt is on standard error. One thread.

#include <stdbool.h>
#include <stddef.h>
#include <weir/attr.h>

// A line of standard input without its end. False: no line, or one that `out` cannot hold.
ATTR_MUST_CHECK bool prompt_line(char *out, size_t cap);
// The same behind `prompt`.
ATTR_MUST_CHECK bool prompt_ask(const char *prompt, char *out, size_t cap);
// The same of a terminal, which does not show what is typed. A signal that ends the program
// (SIGHUP, SIGINT, SIGTERM) meanwhile ends it after the terminal shows what is typed again.
ATTR_MUST_CHECK bool prompt_secret(const char *prompt, char *out, size_t cap);
