// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The prefixes of the policy image with their leaves (policy.h): those of the groups and those of
// the section `access` put together, so that the longest prefix which covers an address tells both
// its group and what it may. Used by policy_build.c alone. Linear in the product of the two
// numbers, at most some 4,096 and 900: milliseconds.
//
// Without any prefix in access.allow, which no configuration file can bring about, everyone may ask
// as often as they like.

#include "policy_v6.h"

// Of one family, the shortest first; none twice, and none that says what a shorter one says.
// free(3) out->one. -ENOMEM; -E2BIG: more groups or prefixes of groups than the image has room for.
ATTR_MUST_CHECK int policy_leaves_collect(
	const struct config *c, unsigned version, struct policy_prefixes *out);
// By address.
int policy_leaves_order(const void *a, const void *b); // struct policy_prefix, for qsort(3)

// Of an address that no prefix covers.
uint8_t policy_leaf_other(const struct config *c);
bool policy_leaves_access(const struct config *c); // is anyone not POLICY_ASK?
