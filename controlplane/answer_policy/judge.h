// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What an answer leads to, judged by one rule image: CNAME chains, addresses, patterns.
//
// The packet path knows the name that was asked. What a judge looks at is the rest:
//   - the names that an answer leads to (CNAME, and the targets of HTTPS and SVCB), against the
//     image's table and patterns, so that a listed name behind an alias is blocked all the same;
//   - the addresses in it (A, AAAA, hints of HTTPS and SVCB), against the image's prefixes;
//     rebinding protection is a list of prefixes like any other;
//   - the name asked, against the patterns.
// The order of rules is that of rule_class.h for each name in itself. A pattern counts as a rule at
// the root, and a name's own allow rules beat all patterns. An address rule is taken away by an
// EXCEPT rule of its source that covers the name asked, and by nothing else. One blocked name or
// address blocks the answer; one whose question an allow rule of the table decided is not judged,
// which is the caller's business (judge_allows).
// The result is a finding (judge_finding.h), good for all groups at once.
//
// Made by a helper thread (patterns take time), immutable then. It reads the image, which must
// outlive it. Two loops may use it at a time, each with a scratch of its own. A finding costs some
// 0.1 us for each name and as much for each address; nothing is allocated.

#include "judge_finding.h"
#include "judge_patterns.h"
#include "judge_prefixes.h"

#include <weir/dns_answer.h>

struct judge;

enum judge_loop { JUDGE_ON_RESOLVER, JUDGE_ON_SERVICE, JUDGE_LOOPS };

struct judge_counts {
	struct judge_pattern_counts patterns;
	struct judge_prefix_counts prefixes;
};

// -ENOMEM. Patterns and prefixes that are refused are counted, the others work.
ATTR_MUST_CHECK int judge_new(struct judge **out, const struct rule_reader *image);
// Before it is used: as long as workers have the image of `before` (NULL: none), they may leave
// names to us that its allow patterns might allow, so this one judges names too if that one does.
void judge_follow(struct judge *j, const struct judge *before);
void judge_free(struct judge *j); // NULL is fine
const struct judge_counts *judge_counts(const struct judge *j);

// By which it judges.
const struct rule_reader *judge_image(const struct judge *j);

// May judge_question come to anything?
bool judge_concerns_names(const struct judge *j);
// Lists whose rules allow: the `unless` of a mask (judge_finding_of_mask).
const uint64_t *judge_allowing(const struct judge *j);
// May an answer of this kind come to anything? For walks over many.
bool judge_concerns(const struct judge *j, const struct dns_answer_view *answer);

// Of the name asked, by its patterns; where some of them allow, by the table too, as workers then
// leave to us what a list blocks by name. All else of it is theirs.
void judge_question(const struct judge *j, enum judge_loop loop, const struct dns_name *name,
	uint16_t qtype, struct judge_finding *out);
// Of the whole answer, with the above.
void judge_answer(const struct judge *j, enum judge_loop loop, const struct dns_name *question,
	uint16_t qtype, const struct dns_answer_view *answer, struct judge_finding *out);
// Does an allow rule of the table, or the operator's own data, decide the question for this group?
bool judge_allows(const struct judge *j, const struct dns_name *question, uint16_t qtype,
	const uint64_t group_lists[4]);
