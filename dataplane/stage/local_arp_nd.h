// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Replies that a service without a kernel interface needs to be reachable: to ARP requests (RFC
// 826) and neighbour solicitations (RFC 4861) for a service address, and echo requests to one.
//
// Only used on ports without an exception port (memif, net_ring, pcap). Each answer is made in the
// received packet, which must be in one segment; no state is kept and no neighbour learnt: replies
// go back to the MAC address of the request. Checksums and lengths are checked first.

#include "batch.h"

// VERDICT_arp_reply, ndp_reply or echo_reply when the packet now holds that; else a drop verdict
// and the packet unchanged. `p` has l3 and has_vlan filled in.
enum verdict local_answer(struct packet *p, uint16_t ether_type, const struct rte_ether_addr *mac,
	const struct worker_service *service);
