// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The prefixes of the policy image with their leaves (policy.h): those of the groups and those of
// the section `access` merged, so that the longest prefix that covers an address has both its group
// and its access. Used by policy_build.c alone. Linear in the product of the two numbers, at most
// some 4,096 and 900: milliseconds.
//
// Without any prefix in access.allow, which no configuration file allows, every client may ask
// without limits.

#include <weir/config.h>
#include <weir/policy.h>

struct policy_prefix {
	const struct ip_address *address;
	uint8_t leaf;
};

// Of one family, the shortest first.
struct policy_prefixes {
	unsigned count;
	struct policy_prefix *one;
};

// Of one family, the shortest first; none twice, and none that says what a shorter one says.
// free(3) out->one. -ENOMEM; -E2BIG: more groups or prefixes of groups than the image has room for.
ATTR_MUST_CHECK int policy_leaves_collect(
	const struct config *c, unsigned version, struct policy_prefixes *out);
// By address.
int policy_leaves_order(const void *a, const void *b); // struct policy_prefix, for qsort(3)

// Of an address that no prefix covers.
uint8_t policy_leaf_other(const struct config *c);
bool policy_leaves_access(const struct config *c); // is anyone not POLICY_ASK?

// The perfect hash tables of the policy image: one for each length of IPv6 prefixes, and one for
// MAC addresses, which pass as prefixes of 48 bits. Used by policy_build.c alone. Keys fall into
// buckets of some four; the buckets, the fullest first, each look for a pilot that leads their keys
// to slots that are still free. Two keys of one bucket that no pilot can part, about one build in
// two, ask for another seed.
struct policy_v6 { // of all lengths, one table after the other
	uint16_t *pilot;
	uint64_t *slot; // words
	size_t pilot_count, word_count;
};

// Fills in a table for each length, *lengths of them, with offsets from the beginning of `pilot`
// and `slot`. -ENOMEM; -E2BIG: no perfect hash was found, as of equal keys.
ATTR_MUST_CHECK int policy_v6_build(const struct policy_prefixes *p, struct policy_v6_table *tables,
	uint32_t *lengths, struct policy_v6 *out);
void policy_v6_free(struct policy_v6 *v);
