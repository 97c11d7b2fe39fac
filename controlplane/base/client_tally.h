// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Counts of answers in CLIENT_CROWDS buckets of clients. A client, an IPv4 address or an IPv6 /64
// as in inflight.h, is always in the same bucket, in all resolvers. Values without an owner.

#include <stdint.h>
#include <weir/attr.h>
#include <weir/keyhash.h>

enum { CLIENT_CROWDS = 64 };

struct client_tally {
	uint64_t good[CLIENT_CROWDS], failed[CLIENT_CROWDS]; // failed: SERVFAIL
};

// A client's bucket. `address`: 4 or 16 bytes by the version.
ATTR_INLINE uint8_t client_crowd(unsigned ip_version, const uint8_t *address)
{
	return (uint8_t)(contenthash(address, ip_version == 6 ? 8 : 4) % CLIENT_CROWDS);
}

ATTR_INLINE void client_tally_add(struct client_tally *sum, const struct client_tally *one)
{
	for (unsigned i = 0; i < CLIENT_CROWDS; i++) {
		sum->good[i] += one->good[i];
		sum->failed[i] += one->failed[i];
	}
}
