// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Collects the patterns and address prefixes of an image, which only the control plane reads:
// sorted by list, each once. 8 bytes and its text a pattern, 24 a prefix. One thread.

#include "list_rule.h"

#include <weir/rule_data.h>

enum { RULE_PATTERNS_MAX = 1 << 20, RULE_PREFIXES_MAX = 1 << 22 };

struct rule_patterns {
	struct rule_pattern_row *pattern;
	struct rule_prefix_row *prefix;
	char *text;
	size_t pattern_count, pattern_room, prefix_count, prefix_room, text_len, text_room;
};

void rule_patterns_free(struct rule_patterns *p);
size_t rule_patterns_bytes(const struct rule_patterns *p); // of memory

// -EINVAL: empty, too long or with a NUL, or no prefix; -ENOSPC: there are too many, this one is
// left out; -ENOMEM.
ATTR_MUST_CHECK int rule_patterns_add(
	struct rule_patterns *p, unsigned list, const char *text, size_t len);
ATTR_MUST_CHECK int rule_patterns_add_prefix(
	struct rule_patterns *p, unsigned list, const struct ip_address *prefix);

void rule_patterns_sort(struct rule_patterns *p); // and drops repeated ones
