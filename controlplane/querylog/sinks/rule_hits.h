// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Which rule blocked a query, and how many queries each list blocked.
//
// A log record has the list that blocked, not the rule, so the log thread looks the name up in the
// rule image: the nearest name that covers it and is in that list. A query that was blocked for its
// answer, or by a pattern, has no such name. One thread; no allocation.

#include "querylog/querylog.h"

#include <weir/rule_image.h>

enum {
	RULE_HIT_TEXT_MAX = RULE_TITLE_MAX + 1 + DNS_NAME_TEXT_MAX,
	RULE_HIT_LISTS = 2 * RULE_LISTS_MAX
};

// "list\nrule" of a blocked row, its length; "list\n" where no rule is found. `r` may be NULL.
size_t rule_hits_text(
	const struct rule_reader *r, const struct querylog_row *row, char out[RULE_HIT_TEXT_MAX]);

struct rule_hits {
	unsigned count, last;
	struct rule_hits_list {
		char title[RULE_TITLE_MAX];
		uint64_t queries;
	} list[RULE_HIT_LISTS]; // titles seen since the start
	uint64_t left_out;      // queries of further titles
};

void rule_hits_add(struct rule_hits *h, const struct querylog_text *title, uint64_t queries);
uint64_t rule_hits_of(const struct rule_hits *h, const char *title);
