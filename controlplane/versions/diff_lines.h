// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Which lines of two texts are not in both: Myers' greedy algorithm. Any thread.

#include <stdbool.h>
#include <stddef.h>

struct diff_line {
	const char *text;
	size_t len;  // without its end
	bool is_own; // it is not in the other text
};

struct diff_text {
	struct diff_line *line;
	unsigned count;
};

// Pointers into `text`. -ENOMEM; -E2BIG: over `most` lines.
int diff_text_split(const char *text, unsigned most, struct diff_text *out);
void diff_text_free(struct diff_text *t);
// Sets is_own. More than `steps` edits: of all lines between the first and the last that differ.
// -ENOMEM.
int diff_lines(struct diff_text *a, struct diff_text *b, unsigned steps);
