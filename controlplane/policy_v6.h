// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The IPv6 part of the policy image: a perfect hash table for each prefix length. Used by
// policy_build.c alone. Keys fall into buckets of some four; the buckets, the fullest first, each
// look for a pilot that leads their keys to slots that are still free. Two keys of one bucket that
// no pilot can part, about one build in two, ask for another seed.

#include <weir/config.h>
#include <weir/policy.h>

struct policy_prefix {
	const struct ip_address *address;
	uint8_t group;
};

// Of one family, the shortest first.
struct policy_prefixes {
	unsigned count;
	struct policy_prefix *one;
};

struct policy_v6 { // of all lengths, one table after the other
	uint16_t *pilot;
	struct policy_v6_slot *slot;
	size_t pilot_count, slot_count;
};

// Fills in h->v6 with offsets from the beginning of `pilot` and `slot`. -ENOMEM, -E2BIG.
ATTR_MUST_CHECK int policy_v6_build(
	const struct policy_prefixes *p, struct policy_head *h, struct policy_v6 *out);
void policy_v6_free(struct policy_v6 *v);
