// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What DPDK 22.11 and 24.11 name differently, under one name. No state; any thread.

#include <rte_ip.h>
#include <rte_memzone.h>

#include <weir/attr.h>

// The 16 bytes of an address: an array in 22.11, a structure of one in 24.11. What writes an
// address copies to or from `&ip->src_addr`, which both have.
ATTR_INLINE const uint8_t *ipv6_src(const struct rte_ipv6_hdr *ip)
{
	return (const uint8_t *)&ip->src_addr;
}

ATTR_INLINE const uint8_t *ipv6_dst(const struct rte_ipv6_hdr *ip)
{
	return (const uint8_t *)&ip->dst_addr;
}

// Memory zones of the EAL, at most: of the build in 22.11, of the start from 23.07 on.
static inline size_t memzones_max(void)
{
#ifdef RTE_MAX_MEMZONE
	return RTE_MAX_MEMZONE;
#else
	return rte_memzone_max_get();
#endif
}
