// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// From a rule's decision to the reply, and the lists that count while blocking is off. Both
// processes use these functions, so a question gets the same answer on every path.

#include "dns_reply.h"
#include "rule_image.h"

// The lists of a group that stay while blocking is off or paused: local data and safe search.
ATTR_INLINE void rule_lists_unblocked(
	const struct rule_reader *r, const uint64_t lists[4], uint64_t kept[4])
{
	for (unsigned w = 0; w < 4; w++)
		kept[w] = lists[w] & (r->local[w] | r->of_class[RULE_CLASS_SAFE][w]);
}

// A list decides against the name, but a pattern may allow it: only the resolver's answer policy
// knows.
ATTR_INLINE bool rule_pattern_may_allow(
	const struct rule_reader *r, const uint64_t lists[4], const struct rule_decision *d)
{
	uint64_t any = 0;
	for (unsigned w = 0; w < 4; w++)
		any |= r->pattern_allows[w] & lists[w];
	return any
	       && (d->rule_class == RULE_CLASS_BLOCK
		       || d->rule_class == RULE_CLASS_IMPORTANT_BLOCK);
}

// The EDE of a rule of this class (enum rule_class). A list's rule is Blocked, the operator's own
// entry Filtered (RFC 8914 4.16, 4.18). Local data does not block: no EDE.
ATTR_INLINE int rule_class_ede(unsigned rule_class)
{
	if (rule_class == RULE_CLASS_LOCAL)
		return DNS_EDE_NONE;
	return rule_class == RULE_CLASS_OPERATOR_DENY ? DNS_EDE_FILTERED : DNS_EDE_BLOCKED;
}

// The reply that a rule itself sets (enum rule_reply), or that of the client's group.
ATTR_INLINE enum dns_block_mode rule_reply_own(unsigned reply, enum dns_block_mode group)
{
	switch ((enum rule_reply)reply) {
	case RULE_REPLY_NXDOMAIN:
		return DNS_BLOCK_NXDOMAIN;
	case RULE_REPLY_NODATA:
	case RULE_REPLY_DATA: // the name has none of that type
		return DNS_BLOCK_NODATA;
	case RULE_REPLY_NULL:
		return DNS_BLOCK_NULL;
	case RULE_REPLY_REFUSED:
		return DNS_BLOCK_REFUSED;
	case RULE_REPLY_SERVFAIL:
		return DNS_BLOCK_SERVFAIL;
	default:
		return group;
	}
}

// The reply of a decision. NXDOMAIN is about all types of a name at once (RFC 2308 5, RFC 8020
// 2), and a cache in front takes it so: where another type may pass, there is no data of this one.
ATTR_INLINE enum dns_block_mode rule_reply_mode(
	const struct rule_decision *d, enum dns_block_mode group)
{
	const enum dns_block_mode mode = rule_reply_own(d->reply, group);
	return mode == DNS_BLOCK_NXDOMAIN && d->typed ? DNS_BLOCK_NODATA : mode;
}

// Does it answer, or pass, whatever the answer policy finds?
ATTR_INLINE bool rule_decision_is_last(
	const struct rule_reader *r, const uint64_t lists[4], const struct rule_decision *d)
{
	return rule_is_unchecked(r, lists, d) || (d->matched && d->rule_class == RULE_CLASS_LOCAL);
}

// The decision about a question whose answer a list blocks, or whose name has a pattern of it.
// `named`: that list has a rule at the name, which decided as *d; else `by` are those that block,
// of which the first decides (rule_first_list). The records that such a list has are for other
// names, so the client's group says how it is answered. `typed`: another type of the name may be
// answered otherwise; so it may where a rule at the name is for some types.
struct rule_decision rule_decision_checked(const struct rule_reader *r,
	const struct rule_decision *d, bool named, const struct rule_set *by, bool typed);

// A decision to lead elsewhere where that cannot be done: it blocks, as the client's group says.
ATTR_INLINE struct rule_decision rule_decision_blocks(const struct rule_decision *d)
{
	struct rule_decision out = *d;
	out.action = RULE_BLOCK;
	out.reply = RULE_REPLY_GROUP;
	return out;
}

// Such a decision, and what its reply needs.
struct rule_ruling {
	struct rule_decision d;
	bool named;
	uint64_t hash; // fingerprint of the name that decided, if named
};

// The reply of a decision that answers (RULE_BLOCK, RULE_DATA), as dns_reply.h's. `hash`: the
// fingerprint of the name that decided; `block`: the reply of the client's group, for rules that
// leave it to that and for the TTL of the others.
struct rule_reply_opts {
	const struct dns_block *block;
	uint64_t hash;
	uint32_t ttl_cap_s; // cap of the records' TTL
	uint16_t limit;
};
ATTR_MUST_CHECK uint16_t rule_reply_write(uint8_t *msg, size_t cap, const struct dns_query *q,
	const struct rule_reader *r, const struct rule_decision *d, const struct rule_reply_opts *o,
	uint16_t *sum) ATTR_NONNULL;
