// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Makes untrusted text safe for the terminal. In a UTF-8 locale printable characters stay. Control
// characters, characters that change the direction of text or are invisible, and bytes that are no
// well-formed UTF-8 become \xNN. In any other locale every byte outside ASCII does, too (text.h).

#include <stddef.h>
#include <weir/attr.h>

// Sets the character set from the environment. Call once, before the other functions.
void term_text_init(void);
// Escapes as text_escape does, and cuts before the first character or escape that does not fit.
// Returns `out`, which holds `cap` bytes, at least 1.
char *term_text(const char *text, char *out, size_t cap) ATTR_NONNULL;
// The columns of a text that term_text wrote.
size_t term_width(const char *text) ATTR_NONNULL;
// The length of the text's longest beginning of whole characters in at most `cap` bytes.
size_t term_cut(const char *text, size_t cap) ATTR_NONNULL;
// The length of the text's longest beginning of whole characters in at most `columns` columns.
size_t term_cut_width(const char *text, size_t columns) ATTR_NONNULL;
// The columns of the terminal on stdout: COLUMNS of the environment, else the kernel's number. 0:
// stdout is no terminal, or its width is unknown.
size_t term_columns(void);
// Colours of what is wrong and of what is a warning, and their end (ECMA-48 SGR): "" if stdout is
// no terminal, TERM is dumb, or NO_COLOR is set (no-color.org).
enum term_color { TERM_PLAIN, TERM_WRONG, TERM_WARNING };
const char *term_color(enum term_color color);
