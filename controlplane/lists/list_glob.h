// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// AdBlock's rules that are not about one whole name: `||ads-*.example.com^`, `-ads.example.com^`,
// `||ads.`, `||ads*`. Stateless.
//
// Where such a rule ends with labels below which names of one owner are (`example.com`), it is a
// rule at that name for names below it, with a glob for the text in front: `*.ads-*` for
// `||ads-*.example.com^`. The image decides these on the packet path. The text has a dot in front
// of each label, so a glob begins with `*.` for `||`, with `.` for `|`, and with `.*` where the
// rule may begin within a label. Any other such rule becomes a pattern, which the control plane
// matches.

#include "list_rule.h"
#include "list_text.h"

#include <weir/rule_data.h>

enum list_glob_start { LIST_GLOB_WITHIN, LIST_GLOB_LABEL, LIST_GLOB_NAME }; // nothing, `||`, `|`

struct list_glob {
	bool is_pattern;
	struct dns_name name; // where it is no pattern
	size_t len;
	char text[LIST_PATTERN_MAX + 1];
};

// `body`: without anchors and options. `ends`: one was behind it (`^`, `|`). LIST_REJECT_COUNT:
// *out is the rule. LIST_REJECT_FILTER: it names too little, or what no name is.
enum list_reject list_glob_read(
	struct list_text body, enum list_glob_start start, bool ends, struct list_glob *out);

// The rule in AdBlock's syntax, without options: `||ads-*.example.com^`.
enum { LIST_GLOB_TEXT_MAX = RULE_GLOB_LEN_MAX + DNS_NAME_TEXT_MAX + 4 };
const char *list_glob_text(
	const char *glob, size_t len, const struct dns_name *name, char out[LIST_GLOB_TEXT_MAX]);
