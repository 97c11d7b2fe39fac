// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Announces the service addresses on ports without a kernel interface, where weir answers ARP and
// neighbour solicitations itself (stage/local_arp_nd.h): one ARP announcement (RFC 5227, 3) and one
// unsolicited neighbour advertisement (RFC 4861, 7.2.6) for each address, untagged.
//
// While the data plane was away a client may have asked for the address. It repeats that after a
// second, and meanwhile its queries wait or are lost; the announcement ends that. Main lcore,
// between the start of the ports and that of the workers; a frame that the port does not take is
// freed.

#include "port.h"

// `pool`: of worker 0, whose TX queue is used.
void ports_announce(
	const struct ports *p, const struct worker_service *service, struct rte_mempool *pool);
