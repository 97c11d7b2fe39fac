// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Text that came from outside, on its way to the terminal. In a locale of UTF-8 its printable
// characters stay. Control characters, characters that turn the direction of the text or show
// nothing, and all bytes that are no well-formed UTF-8 are escaped as \xNN. In any other locale
// every byte outside ASCII is (text.h).

#include <stddef.h>
#include <weir/attr.h>

// Takes the character set of the environment. Once, before all else.
void term_text_init(void);
// As text_escape: cut before the first character or escape that does not fit. Returns `out`, which
// holds `cap` bytes, at least 1.
char *term_text(const char *text, char *out, size_t cap) ATTR_NONNULL;
// Columns that a text of term_text takes.
size_t term_width(const char *text) ATTR_NONNULL;
// Bytes of its longest beginning of whole characters in at most `cap` bytes.
size_t term_cut(const char *text, size_t cap) ATTR_NONNULL;
// The same in at most that many columns.
size_t term_cut_width(const char *text, size_t columns) ATTR_NONNULL;
// Columns of the terminal on stdout: COLUMNS of the environment, else what the kernel says. 0:
// stdout is no terminal, or nobody knows.
size_t term_columns(void);
