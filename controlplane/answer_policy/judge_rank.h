// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The rules that match one name, for all groups at once: from the order of precedence
// (rule_class.h) to clauses of a finding.

#include "judge_finding.h"

// What is known of the lists of an image.
struct judge_rank {
	uint64_t of_class[RULE_CLASSES][4];
	uint64_t allowing[4]; // of classes that take a block away
	// For each list the allowing ones that every group with that list has too, as they are of
	// the same source.
	struct rule_set guard[RULE_LISTS_MAX];
	struct rule_set same_source[RULE_LISTS_MAX];
};

void judge_rank_init(struct judge_rank *k, const struct rule_reader *image);

// `match`: what rule_matches says of the name, nearest first. `patterns`: lists with a pattern for
// it, or NULL.
void judge_rank_name(const struct judge_rank *k, const struct rule_match *match, unsigned count,
	const struct rule_set *patterns, struct judge_finding *out);
// Patterns alone.
void judge_rank_patterns(
	const struct judge_rank *k, const struct rule_set *patterns, struct judge_finding *out);
// Lists that hold an address; `match`: of the name asked, for its exceptions.
void judge_rank_address(const struct judge_rank *k, const struct rule_match *match, unsigned count,
	const struct rule_set *lists, struct judge_finding *out);
