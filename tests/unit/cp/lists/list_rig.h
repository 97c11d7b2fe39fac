// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Parses a list and writes what it gives as text, one rule after the other, each with a blank:
//   example.com              block, the name and all below, as the group says
//   =example.com *.example.com          the name only; only what is below
//   allow:x block!:x allow!:x except:x  other classes
//   x{nxdomain} x{A,300,c0000201}       other replies, records
//   x{types:A,~} x{client:kids}
//   *.x{*.ads-*}                        a glob
//   /pattern/ [192.0.2.0/24]

#include "controlplane/lists/list_parse.h"

enum { LIST_RIG_TEXT_MAX = 16384 };

struct list_rig {
	struct list_parser parser;
	struct list_counts counts;
	char text[LIST_RIG_TEXT_MAX];
	uint32_t last_line;
	bool number_lines; // writes "3:" in front of each rule
};

// In one piece, or in pieces of at most `piece` bytes.
void list_rig_parse(struct list_rig *r, const struct list_options *options, const char *bytes,
	size_t len, size_t piece);

// One row of a table: a list, what it gives, and the reason that is counted once;
// LIST_REJECT_COUNT: none is.
struct list_row {
	const char *text, *rules;
	enum list_reject reject;
};
// Checks all of them, and that every line is counted once.
void list_rig_check(const struct list_options *options, const struct list_row *row, size_t count);
