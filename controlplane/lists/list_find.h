// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Which lines of a list made a rule: for `why`, which has the names from the image's lists only as
// numbers. The parser reads the source again, so the answer is what the build saw, if the bytes
// are the same. As fast as the parser, in the same memory. One thread.

#include "list_parse.h"

enum { LIST_FIND_TEXT_MAX = 200 };

// The wanted rules: those of exactly this name, this pattern or this prefix; NULL: not these.
struct list_wanted {
	const struct dns_name *name;
	const char *pattern;
	size_t pattern_len;
	const struct ip_address *prefix;
};

struct list_found {
	const struct list_rule *rule; // line number and kind; valid during the call
	const char *text;             // of the line, not NUL-terminated, unchecked bytes
	size_t text_len;              // LIST_FIND_TEXT_MAX at most
	unsigned wanted;              // which one of the array it is
};

typedef void (*list_found_take)(void *arg, const struct list_found *found);

struct list_finder {
	struct list_parser parser;
	const struct list_wanted *wanted;
	unsigned wanted_count;
	unsigned found, found_max; // it stops at found_max
	list_found_take take;
	void *arg;
};

// `wanted` must stay until the end. `options` are those of the build.
void list_find_begin(struct list_finder *f, const struct list_options *options,
	const struct list_wanted *wanted, unsigned wanted_count, unsigned found_max,
	list_found_take take, void *arg);
// False: enough was found, no more is needed.
bool list_find_feed(struct list_finder *f, const void *bytes, size_t len);
void list_find_end(struct list_finder *f);
