// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// docs/reference/recursion.md, which says of each option what the library itself has: that of
// recursion in its first part, that of the validators below their heading.

struct option_page {
	const char *recursion, *validators;
};
const struct option_page *option_page_read(void);
// Compares the values of that part with those of a library that has `text`; how many rows?
unsigned option_values(const char *part, const char *text);
// Each option of `text` has a row in that part, or in recursion's; how many options?
unsigned option_rows(const char *part, const char *text);
