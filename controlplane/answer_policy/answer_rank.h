// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The rules that match one name, for all groups at once: from the order of precedence
// (rule_class.h) to clauses of a finding.

#include "answer_match.h"

// Properties of the lists of an image.
struct answer_rank {
	uint64_t of_class[RULE_CLASSES][4];
	uint64_t allowing[4]; // lists of classes that take a block away
	struct rule_set guard[RULE_LISTS_MAX];
	// For each list those of sources before its own, and those of its own.
	struct rule_set earlier[RULE_LISTS_MAX], beside[RULE_LISTS_MAX];
	const struct rule_reader *image;
};

// The image must outlive it.
void answer_rank_init(struct answer_rank *k, const struct rule_reader *image);

// `match`: what rule_matches says of the name, nearest first. `patterns`: lists with a pattern for
// it.
void answer_rank_name(const struct answer_rank *k, const struct rule_match *match, unsigned count,
	const struct rule_set *patterns, struct answer_match *out);
// What the patterns block and no rule at the name takes back.
void answer_rank_patterns(const struct answer_rank *k, const struct rule_match *match,
	unsigned count, const struct rule_set *patterns, struct answer_match *out);
// Lists from which an exception at the name asked takes all. `match`: of that name.
void answer_rank_taken(const struct answer_rank *k, const struct rule_match *match, unsigned count,
	struct rule_set *taken);
// Lists that hold an address, without those.
void answer_rank_address(
	const struct answer_rank *k, const struct rule_set *lists, struct answer_match *out);
