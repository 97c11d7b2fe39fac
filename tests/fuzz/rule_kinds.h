// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A rule image as the builder makes it, with rules of every class, cover, reply and kind of type,
// records, patterns and prefixes, for bodies that start from an image that is in order. Always the
// same bytes.

#include "controlplane/rule_image/rule_build.h"

#include <weir/rule_image.h>

// A question, and what the unchanged image decides.
struct rule_kinds_ask {
	const char *name;
	uint16_t qtype;
	int action; // enum rule_action; -1: no rule decides
};
extern const struct rule_kinds_ask rule_kinds_asks[];
extern const unsigned rule_kinds_ask_count;

// Aborts when it cannot be built. Of the caller, rule_arena_free.
void rule_kinds_build(struct rule_arena *out);
