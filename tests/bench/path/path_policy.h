// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the packet path bench knows about clients, made by the real builder of the configuration as
// it is shipped: private and local networks may ask. The bench's clients are in the latter.

#include <weir/policy.h>

enum path_policy {
	PATH_POLICY_SHIPPED,
	// And 1,000 prefixes of each family in 32 groups: 500 of the clients' networks, and one
	// address in each. All groups resolve alike. To each apply the lists that all have, a list
	// of its own, and none of the others'.
	PATH_POLICY_GROUPS,
	PATH_POLICY_LIMITS, // every client's rate is counted, and nobody over it
	PATH_POLICIES
};
enum { PATH_GROUPS = 32, PATH_LISTS_COMMON = 32 };

// How a blocked name is answered, everyone and each group alike; and as it is shipped.
static const struct dns_block path_block = {.mode = DNS_BLOCK_NULL, .ttl_s = 60};
static const struct dns_block path_block_shipped = {.mode = DNS_BLOCK_NXDOMAIN, .ttl_s = 300};

// *image is the caller's to free. False after saying why.
bool path_policy_build(enum path_policy kind, void **image, struct policy_reader *reader);
