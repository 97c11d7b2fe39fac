// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The group of a client of the frontend, and whether it may ask, by the policy image of the workers
// (policy.h). Frontend loop's thread; the image is mapped again when another one is current, some
// 0.1 ms. If it cannot be mapped the previous one stays; without any image no client may ask.

#include "base/frontend_neighbour.h"
#include "resolver/resolver_client.h"
#include "shm/publish.h"

#include <weir/shm_region.h>

struct frontend_policy {
	uint64_t word;     // of directory.current that `reader` stands for; 0: there is none
	uint64_t tried_ms; // in vain; not again in the same FRONTEND_POLICY_RETRY_MS
	struct region region;
	struct policy_reader reader;
	struct frontend_neighbours neighbours;
};

enum { FRONTEND_POLICY_RETRY_MS = 100 };

void frontend_policy_open(struct frontend_policy *fp); // zeroed
void frontend_policy_look(struct frontend_policy *fp, struct publisher *publisher, uint64_t now_ms);
void frontend_policy_close(struct frontend_policy *fp);

// Not before there was an image.
ATTR_INLINE bool frontend_policy_is_closed(const struct frontend_policy *fp)
{
	return fp->word == 0;
}

// Of the image, modulo 65536.
ATTR_INLINE uint16_t frontend_policy_generation(const struct frontend_policy *fp)
{
	return (uint16_t)(fp->word >> 1);
}

// The leaf (policy.h): the group by its MAC address, where some group goes by these, else by its
// address; an IPv4 address mapped into IPv6 is one of IPv4.
unsigned frontend_policy_leaf(
	struct frontend_policy *fp, const union client_address *client, uint64_t now_ms);
// By its address alone, as access goes by nothing else.
unsigned frontend_policy_leaf_of_address(
	const struct frontend_policy *fp, const union client_address *client);
// What applies to it.
const struct policy_group *frontend_policy_of(const struct frontend_policy *fp, unsigned group);
