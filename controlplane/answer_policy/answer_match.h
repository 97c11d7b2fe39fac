// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The lists that match an answer, and so the groups for which it is blocked.
//
// Whether a rule of one list beats that of another depends on which lists a group has, so one set
// of lists cannot say it. A finding is clauses, and blocks a group if one of them does:
//   the group has a list of `block`, and none of `unless`.
// That is exact for every order of precedence (answer_rank.c says how one name's rules become
// clauses). Clauses with the same `unless` are joined; what an unconditional clause has is taken
// out of the others. Nearly always one clause is left, or none, and then a record in L0 can store
// it: a mask of lists, those of blocking classes are its `block`, the others its `unless`
// (l0_table.h). A group's lists & mask that hold a blocking one and no allowing one: blocked. More
// clauses (two names of a chain, each blocked by another list, one of them allowed by a third) have
// no mask; such an answer is not cached, and checked each time that it comes. At most
// ANSWER_POLICY_CLAUSES_MAX; beyond, a clause loses its `unless`: it blocks too much rather than
// too little.

#include <weir/rule_image.h>

static inline bool answer_set_empty(const struct rule_set *s)
{
	return (s->lists[0] | s->lists[1] | s->lists[2] | s->lists[3]) == 0;
}

static inline void answer_set_join(struct rule_set *to, const struct rule_set *s)
{
	for (unsigned w = 0; w < 4; w++)
		to->lists[w] |= s->lists[w];
}

enum { ANSWER_POLICY_CLAUSES_MAX = 8 };

struct answer_policy_clause {
	struct rule_set block, unless;
};

struct answer_match { // all zero: nothing found
	unsigned count;
	bool typed; // another type of the name may be answered otherwise (RULE_MASK_TYPED)
	bool cut;   // the answer leads to more names than patterns are matched with
	struct answer_policy_clause clause[ANSWER_POLICY_CLAUSES_MAX];
};

void answer_match_add(
	struct answer_match *f, const struct rule_set *block, const struct rule_set *unless);
// The lists of a group that block it. False: no list does.
bool answer_match_lists(
	const struct answer_match *f, const uint64_t group_lists[4], struct rule_set *out);
// Is this list of the group's one of those that block it?
bool answer_match_has(const struct answer_match *f, unsigned list, const uint64_t group_lists[4]);

// The mask for L0 (empty: nothing found), or false: it takes more than one.
bool answer_match_mask(const struct answer_match *f, struct rule_set *mask);
// Back again. `allowing`: lists whose class is an allowing one.
void answer_match_of_mask(
	const struct rule_set *mask, const uint64_t allowing[4], struct answer_match *out);
