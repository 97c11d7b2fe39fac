// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The group of a client by its frame. A MAC address beats the IP address, and the IP address beats
// the VLAN. `leaf` (policy.h) comes with the group by IP address. Part of stage_policy.c; it calls
// each function only where the image has MAC addresses, or VLANs.

#include "frame.h"
#include "stages.h"

#include <weir/bytes.h>

// A client in the table of MAC addresses is in that group, whatever its IP address.
ATTR_INLINE void frame_group_by_mac(const struct batch *b, uint8_t leaf[])
{
	enum { MAC_SOURCE = 6 };
	for (unsigned i = 0; i < b->count; i++) {
		const struct packet *p = b->pkt[i];
		const uint8_t *mac = rte_pktmbuf_mtod_offset(p->m, const uint8_t *, MAC_SOURCE);
		unsigned was = leaf[i], by_address = policy_group_of(was);
		unsigned group = policy_group_mac(&b->tables->policy, mac, by_address);
		leaf[i] = (uint8_t)(was - by_address + group);
	}
}

// A client that is in no group by its addresses is in that of its VLAN. The upper bits of a tag are
// its priority.
static __attribute__((noinline)) void frame_group_by_vlan(const struct batch *b, uint8_t leaf[])
{
	const struct policy_reader *r = &b->tables->policy;
	for (unsigned i = 0; i < b->count; i++) {
		const struct packet *p = b->pkt[i];
		if (!p->has_vlan)
			continue;
		const uint8_t *tci =
			rte_pktmbuf_mtod_offset(p->m, const uint8_t *, FRAME_ETHER_LEN);
		unsigned was = leaf[i], before = policy_group_of(was);
		leaf[i] = (uint8_t)(was - before + policy_group_vlan(r, get_u16(tci), before));
	}
}
