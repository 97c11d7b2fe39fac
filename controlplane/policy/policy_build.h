// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Makes the policy image (policy.h) of a configuration's groups, access and balancers. Any thread;
// no state.
//
// Cost: 150 KiB and some milliseconds, and for IPv4 prefixes longer than 16 bits at most four
// blocks of 32 bytes each, in a power of two: 1 MiB with 4,096 scattered addresses. With as many
// of IPv6 258 KiB, or 130 KiB where they are /64 or shorter; 130 KiB for as many MACs. The same
// input makes the same bytes.

#include <stdlib.h>
#include <weir/config.h>
#include <weir/policy.h>

struct policy_image {
	struct policy_head *head; // free(3) it; aligned to a cache line
	size_t size;
};

// `group`: what applies to each, [config->group_count + 1]; 0 is everyone else. -ENOMEM; -E2BIG:
// more than the layout holds (the configuration's caps are lower).
ATTR_MUST_CHECK int policy_build(
	const struct config *config, const struct policy_group *group, struct policy_image *out);
