// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Kinds of rules: what the parser of lists (controlplane/lists/list_parse.h), the builder, the
// image (rule_image.h) and the packet path call them.
//
// A source (one list, one section of the configuration) holds rules of several kinds: names to
// block, exceptions to that, some for one query type alone. Each kind that occurs is a list of its
// own in the image, with a number, a bit in every set and its properties in struct rule_list_info;
// so a name's entry in the image is no larger for any of this, and a decision costs nothing more
// unless one of these bits is met.
//
// Which rule decides a question. An entry covers its name, the names below it, or both.
//   1. LOCAL: the nearest one; the operator's own data and special-use names (RFC 6761). Where that
//      leaves a zone to servers (rule_kind_opens), the others decide.
//   2. OPERATOR_ALLOW, OPERATOR_DENY: the operator's own entries, a group's included: the nearest
//      one, at one and the same name allow beats deny.
//   3. IMPORTANT_ALLOW, 4. IMPORTANT_BLOCK, 5. ALLOW: wherever in the name.
//   6. Policy zones (RPZ): the first of them that has a rule for the name, and of its rules the
//      nearest; at one name ALLOW beats BLOCK.
//   7. BLOCK: wherever in the name.
// A rule counts only if its list is in the group's mask, its query types fit, and it covers the
// name. EXCEPT at a name takes rules of the same source at names above it away, by its base. SAFE
// does not decide: a question that passes is resolved in the group's view for safe search.
// UNREWRITE neither: the group's rules with RULE_REWRITES do not count for a name that it covers,
// whatever their sources and wherever in the name they are.

#include "attr.h"

#include <stdint.h>

enum rule_class {
	RULE_CLASS_BLOCK,
	RULE_CLASS_ALLOW,
	RULE_CLASS_IMPORTANT_BLOCK,
	RULE_CLASS_IMPORTANT_ALLOW,
	RULE_CLASS_EXCEPT,
	RULE_CLASS_OPERATOR_DENY,
	RULE_CLASS_OPERATOR_ALLOW,
	RULE_CLASS_LOCAL,
	RULE_CLASS_SAFE,
	RULE_CLASS_UNREWRITE,
	RULE_CLASSES
};

enum { RULE_EXCEPTED = 1, RULE_REWRITES = 2 };
enum { RULE_COVERS_SELF = 1, RULE_COVERS_BELOW = 2, RULE_COVERS_ALL = 3 };

// How a question is answered that a rule of class *BLOCK, *DENY or LOCAL decides.
enum rule_reply {
	RULE_REPLY_GROUP, // what the client's group says (enum dns_block_mode and so on)
	RULE_REPLY_NXDOMAIN,
	RULE_REPLY_NODATA,
	RULE_REPLY_NULL,
	RULE_REPLY_REFUSED,
	RULE_REPLY_DROP,
	RULE_REPLY_DATA, // records of the image; NODATA for types that the name lacks
	// By the control plane: LOCAL: a CNAME to a name of others, or see rule_kind_opens; a list:
	// as if the question were for the target of the image's CNAME record (`name CNAME other.`
	// of a policy zone, $dnsrewrite).
	RULE_REPLY_RESOLVE,
	RULE_REPLY_SERVFAIL,
	RULE_REPLIES
};

// Query types that a rule is for.
enum { RULE_TYPES_MAX = 8 };
struct rule_types {
	uint8_t count;  // 0: all
	uint8_t except; // 1: all but these
	uint16_t type[RULE_TYPES_MAX];
};

static inline bool rule_types_fit(const struct rule_types *t, uint16_t qtype)
{
	for (unsigned i = 0; i < t->count && i < RULE_TYPES_MAX; i++)
		if (t->type[i] == qtype)
			return !t->except;
	return t->except || t->count == 0;
}

enum rule_zone {
	RULE_ZONE_NONE,
	RULE_ZONE_FIRST, // class BLOCK, ALLOW, EXCEPT: of a policy zone, which come one after the
			 // other
	RULE_ZONE_ANY,   // RULE_ZONE_FIRST, but its ALLOW rules are as any list's
};

// What rules of one list of the image have in common; compared byte by byte, so unused bytes
// are 0.
enum { RULE_CLIENT_MAX = 96 };
struct rule_kind {
	uint8_t rule_class; // enum rule_class
	uint8_t covers;     // RULE_COVERS_*
	uint8_t reply;      // enum rule_reply
	uint8_t zone;       // enum rule_zone
	struct rule_types types;
	// EXCEPT: takes away the EXCEPTED rules of its types and its client at the name above that
	// has so many labels ($denyallow). 0: all BLOCK rules of its source above it, and a zone's
	// ALLOW rules too: names between exist, which no wildcard covers (RFC 4592 3.3.1).
	// BLOCK: RULE_EXCEPTED where an EXCEPT has its base; BLOCK, IMPORTANT_BLOCK: RULE_REWRITES
	// where the rule says how to answer ($dnsrewrite); joined.
	// UNREWRITE: 1: IMPORTANT_BLOCK rules, too. Of a reply other than GROUP: those with this
	// reply alone.
	uint8_t base;
	uint8_t globs; // 1: only names below it that a glob of theirs fits (rule_image.h)
	// Clients that the rule is for ($client, $ctag), NUL-padded; "": all. Terms by `|`, at most
	// one of them without `~`, in front: "kids", "192.0.2.0/24|~tv" (group_client.h).
	char client[RULE_CLIENT_MAX];
};
static_assert(sizeof(struct rule_kind) == 120);

// Do rules of `except`, of class UNREWRITE, take back those of `k` for a name that both cover?
static inline bool rule_takes_back(const struct rule_kind *except, const struct rule_kind *k)
{
	return k->base & RULE_REWRITES
	       && (except->reply == RULE_REPLY_GROUP || except->reply == k->reply)
	       && (k->rule_class == RULE_CLASS_BLOCK
		       || (k->rule_class == RULE_CLASS_IMPORTANT_BLOCK && except->base));
}

// Is it for a zone that local data leaves to servers? It takes away the local data above the zone,
// and decides nothing.
static inline bool rule_kind_opens(const struct rule_kind *k)
{
	return k->rule_class == RULE_CLASS_LOCAL && k->reply == RULE_REPLY_RESOLVE
	       && k->covers == RULE_COVERS_ALL;
}

// Does such a rule take away those of `k` at names above it? Those of other groups of clients stay
// where these decide by what the answer leads to. `same`: both are of one source.
static inline bool rule_opened_takes(bool same, const struct rule_kind *k)
{
	return k->rule_class == RULE_CLASS_LOCAL && (same || k->reply != RULE_REPLY_RESOLVE);
}
