// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The page in the browser: its files, which are part of the program (`files/`, page_embed.py). They
// have no secret and nothing of this box; what they show comes from the control API. A browser runs
// them as they stand here: there is no step that builds them.
//
// Constants: any thread.

#include <stddef.h>

struct page_file {
	const char *path; // "/now.js"
	const char *type;
	const unsigned char *bytes;
	size_t len;
};

// "/" is the page itself. NULL: there is no such file.
const struct page_file *page_find(const char *path);

// What a browser may load and do for this page: all of it is of the same origin, and nothing is in
// line.
#define PAGE_POLICY                                                                 \
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " \
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
