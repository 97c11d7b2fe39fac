// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The options behind the $ of an AdBlock rule, as far as they have a meaning for names. Any other
// one makes the rule none: it would block more than its author meant.

#include "list_reject.h"
#include "list_rule.h"
#include "list_text.h"

#include <weir/rdata_parse.h>

struct list_modifiers {
	bool important, rewrites;
	struct list_text except; // $denyallow, names by `|`; len 0: none
	struct rule_types types;
	char client[RULE_CLIENT_MAX];
	enum rule_reply reply;     // when it rewrites
	uint16_t rtype, rdata_len; // 0: the reply has no record
	uint8_t rdata[RDATA_PARSE_MAX];
};

// `important,dnstype=A|AAAA`. LIST_REJECT_COUNT: *out has them all.
enum list_reject list_modifiers_read(struct list_text options, struct list_modifiers *out);
