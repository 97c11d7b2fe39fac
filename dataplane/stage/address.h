// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Kinds of addresses: a service address, a client's, or one that no client can have.
//
// Pure functions over addresses in network byte order; the list of service addresses is short
// (CONFIG_ADDRESSES_MAX) and constant, so a linear compare beats any table.

#include "state/worker.h"

#include <rte_byteorder.h>

#include <string.h>

ATTR_INLINE bool address_is_ours_ipv4(const struct worker_service *s, rte_be32_t a)
{
	for (unsigned i = 0; i < s->v4_count; i++)
		if (s->v4[i] == a)
			return true;
	return false;
}

ATTR_INLINE bool address_is_ours_ipv6(const struct worker_service *s, const uint8_t a[16])
{
	for (unsigned i = 0; i < s->v6_count; i++)
		if (memcmp(s->v6[i], a, 16) == 0)
			return true;
	return false;
}

// Sources that a reply must never go to (RFC 1122 3.2.1.3, RFC 6890): "this network", loopback,
// multicast, reserved and broadcast, those of the service networks included; and weir's own
// addresses, or a reply would loop for ever.
ATTR_INLINE bool address_can_ask_ipv4(const struct worker_service *s, rte_be32_t a)
{
	uint8_t first;
	memcpy(&first, &a, sizeof(first));
	for (unsigned i = 0; i < s->v4_count; i++)
		if (s->v4[i] == a || s->v4_broadcast[i] == a)
			return false;
	return first != 0 && first != 127 && first < 224;
}

// IPv6 addresses that may not ask: multicast, and all of ::/80 with 0 or ffff behind it, which
// holds the unspecified address, loopback, and the IPv4-mapped ones that are not for the wire (RFC
// 4291 2.5.5.2).
ATTR_INLINE bool address_can_ask_ipv6(const struct worker_service *s, const uint8_t a[16])
{
	static const uint8_t zero[10];
	bool embedded = memcmp(a, zero, 10) == 0
			&& ((a[10] == 0 && a[11] == 0) || (a[10] == 0xff && a[11] == 0xff));
	return a[0] != 0xff && !embedded && !address_is_ours_ipv6(s, a);
}

// A frame to a group must not be answered (RFC 1122 3.3.6), one from a group cannot be.
ATTR_INLINE bool address_macs_fit(const struct rte_ether_hdr *eth)
{
	return !rte_is_multicast_ether_addr(&eth->dst_addr)
	       && rte_is_valid_assigned_ether_addr(&eth->src_addr);
}
