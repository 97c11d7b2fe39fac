// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// From a rule image to hits of an explanation. The image is only read during these calls, so they
// are for its owner's thread. It copies patterns, because matching them takes time.

#include "why.h"

#include <weir/rule_data.h>

// All rules at a name of `w` (its number) and above it, and which sources they are of.
void why_read_name(struct why *w, unsigned name, const struct rule_reader *r);
// The prefixes that hold the addresses of `w`, all in one pass over the image's.
void why_read_addresses(struct why *w, const struct rule_reader *r);

// Patterns of an image, in memory of their own.
struct why_pattern {
	uint16_t list, len, source;
	uint32_t off;          // into the text
	uint64_t content_hash; // the source's
	struct rule_kind kind;
	bool inverts;
	char title[RULE_TITLE_MAX];
};
struct why_patterns {
	unsigned count;
	struct why_pattern *pattern;
	char *text;
};
// Bounds that are equal to those for compiling (answer_patterns.h).
enum { WHY_PATTERNS_MAX = 4096, WHY_PATTERNS_MS = 5000 };
ATTR_MUST_CHECK int why_patterns_copy(const struct rule_reader *r, struct why_patterns *out);
void why_patterns_free(struct why_patterns *p);

// Adds a hit for each of them that applies to a name of `w`. Compiles them: some 0.1 ms each, for a
// helper thread, WHY_PATTERNS_MS in all; those that are left then count as hits left out. Those
// that the control plane refuses are left out here as there. -ECANCELED when *stop; -ENOMEM,
// -ENOTSUP.
ATTR_MUST_CHECK int why_patterns_match(
	struct why *w, const struct why_patterns *p, const _Atomic bool *stop);
