// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Replaces one key of a configuration file in its text, so that all other keys, and comments, stay.
// Only for block style, as in the shipped file. A file may be written in other ways, so the caller
// reads the result with the parser and compares. Linear in the text.

#include <weir/attr.h>

// Copies `text` with `lines` in place of `key` of the top-level `section`. `lines` begin at column
// 0, and get the indentation of the section; "" removes the key. A missing section is added at the
// end. For free(). NULL: the section is not in block style, or no memory; `why` has a sentence.
ATTR_MUST_CHECK char *setup_text_put(const char *text, const char *section, const char *key,
	const char *lines, const char **why);
