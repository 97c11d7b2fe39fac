// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The page in the browser: its files, which are part of the program (`files/`, page_embed.py). They
// have no secrets and no data of this box: they show data of the control API. A browser runs them
// as they are; no step builds them.
//
// The files are constants. Any thread.

#include <stddef.h>

struct page_file {
	const char *path; // such as "/now.js"
	const char *type;
	const unsigned char *bytes;
	size_t len;
};

// The file of a path; "/" is "/index.html". NULL: there is no such file.
const struct page_file *page_find(const char *path);

// The Content-Security-Policy of the page: everything comes from the same origin, and nothing is
// inline.
#define PAGE_POLICY                                                                 \
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " \
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
