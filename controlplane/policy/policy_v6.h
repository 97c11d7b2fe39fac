// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The perfect hash tables of the policy image: one for each length of IPv6 prefixes, and one for
// MAC addresses, which pass as prefixes of 48 bits. Used by policy_build.c alone. Keys fall into
// buckets of some four; the buckets, the fullest first, each look for a pilot that leads their keys
// to slots that are still free. Two keys of one bucket that no pilot can part, about one build in
// two, ask for another seed.

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
