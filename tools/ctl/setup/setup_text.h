// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// One key of a configuration file replaced in its text, so that all others, and their comments,
// stay as they are. It knows block style alone, as the shipped file has it; the caller reads the
// result with the parser and compares, as a file may be written in other ways. Linear in the text.

#include <weir/attr.h>

// A copy of `text` with `lines` in place of `key` of the top-level `section`. `lines` begin at
// column 0, and get the indentation of the section; "" removes the key. A section that is not there
// comes at the end. NULL with a sentence: the section is not in block style, or no memory. For
// free().
ATTR_MUST_CHECK char *setup_text_put(const char *text, const char *section, const char *key,
	const char *lines, const char **why);
