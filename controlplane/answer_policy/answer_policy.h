// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Checks the records of an answer by one rule image: CNAME chains, addresses, patterns.
//
// The packet path knows the name of the question. The answer policy checks the rest:
//   - the names in an answer (CNAME, and the targets of HTTPS and SVCB), against the image's table
//     and patterns, so that a listed name behind an alias is blocked too;
//   - the addresses in it (A, AAAA, hints of HTTPS and SVCB), against the image's prefixes;
//     rebinding protection is a list of prefixes like any other;
//   - the name of the question, against the patterns.
// The order of rules is that of rule_class.h for each name in itself. A pattern counts as a rule at
// the root, and a name's own allow rules beat all patterns. Only an EXCEPT rule of its source that
// covers the name of the question overrides an address rule. One blocked name or address blocks the
// answer; not where an allow rule of the table decided the question (answer_policy_blocks). The
// result is a finding (answer_match.h), good for all groups at once.
//
// Made by a helper thread (patterns take time), immutable then. It reads the image, which must
// outlive it. Several loops may use it at a time, each with a scratch of its own. A finding costs
// some 0.1 us for each name and as much for each address, and what patterns cost
// (answer_patterns.h) for ANSWER_TARGETS_MAX names that an answer leads to, as many as weir follows
// aliases: names beyond them are checked by the table alone. Nothing is allocated.

#include "answer_match.h"
#include "answer_patterns.h"
#include "answer_prefixes.h"

#include <weir/dns_answer.h>
#include <weir/rule_reply.h>
#include <weir/shm_abi.h>

struct answer_policy;

enum { ANSWER_TARGETS_MAX = DNS_ANSWER_CNAME_MAX };

enum answer_policy_loop {
	ANSWER_POLICY_ON_SERVICE,
	ANSWER_POLICY_ON_RESOLVER, // the first resolver's; each further one has the next number
	ANSWER_POLICY_LOOPS = ANSWER_POLICY_ON_RESOLVER + SHM_RESOLVERS_MAX
};

struct answer_policy_counts {
	struct answer_pattern_counts patterns;
	struct answer_prefix_counts prefixes;
};

// For the service loop and so many resolvers. -ENOMEM. Patterns and prefixes that are refused are
// counted, the others work.
ATTR_MUST_CHECK int answer_policy_new(
	struct answer_policy **out, const struct rule_reader *image, unsigned resolvers);
// Called before it is used: as long as workers have the image of `before` (may be NULL), they may
// leave names to us that its allow patterns might allow, so this one checks names too if that one
// does.
void answer_policy_follow(struct answer_policy *j, const struct answer_policy *before);
void answer_policy_free(struct answer_policy *j); // NULL is fine
const struct answer_policy_counts *answer_policy_counts(const struct answer_policy *j);

// May answer_policy_question come to anything?
bool answer_policy_concerns_names(const struct answer_policy *j);
// Lists whose rules allow: the `unless` of a mask (answer_match_of_mask).
const uint64_t *answer_policy_allowing(const struct answer_policy *j);
// May an answer of this kind come to anything? For walks over many.
bool answer_policy_concerns(const struct answer_policy *j, const struct dns_answer_view *answer);

// Checks the name asked by the patterns; where some of them allow, or a list leads elsewhere, by
// the table too, as workers then leave to us what a list blocks by name. Workers decide all else
// about it.
void answer_policy_question(const struct answer_policy *j, enum answer_policy_loop loop,
	const struct dns_name *name, uint16_t qtype, struct answer_match *out);
// Checks the whole answer, its name included. An IPv6 address with the prefix `nat64` (NULL or
// version 0: no prefix but the well-known one) stands for an IPv4 one too.
void answer_policy_answer(const struct answer_policy *j, enum answer_policy_loop loop,
	const struct dns_name *question, uint16_t qtype, const struct dns_answer_view *answer,
	const struct ip_address *nat64, struct answer_match *out);
// Has any group's local data something to say about that name? For most names it has not.
bool answer_policy_knows_local(
	const struct answer_policy *j, const struct dns_name *name, uint16_t qtype);
// Do the operator's own records and zones, or special-use names, answer that name for this group?
// Not where they say that others do (a CNAME that leads out, a forward zone).
bool answer_policy_is_local(const struct answer_policy *j, const struct dns_name *name,
	uint16_t qtype, const uint64_t group_lists[4]);
// The reply in that case, of which `msg` has the question behind the header. Its length; 0: they do
// not, or `cap` is too small.
struct policy_group;
uint16_t answer_policy_local(const struct answer_policy *j, const struct dns_query *q,
	const struct policy_group *group, uint8_t *msg, size_t cap);
// The decision about the question for a group, by its name and by such a finding. False: nothing
// blocks it, or an allow rule of the table or the operator's own data decides.
bool answer_policy_blocks(const struct answer_policy *j, const struct answer_match *finding,
	const struct dns_name *question, uint16_t qtype, const uint64_t group_lists[4],
	struct rule_ruling *out);
// Where such a decision leads to, if it is by a list's CNAME to another name. False: it is another
// one, or the name becomes too long: it blocks.
ATTR_MUST_CHECK bool answer_policy_lead(const struct answer_policy *j,
	const struct rule_ruling *ruling, const struct dns_name *name, struct dns_alias *out);
// The reply of a ruling that does not drop.
ATTR_MUST_CHECK uint16_t answer_policy_reply(const struct answer_policy *j,
	const struct rule_ruling *ruling, uint8_t *msg, size_t cap, const struct dns_query *q,
	const struct rule_reply_opts *opts, uint16_t *sum);
