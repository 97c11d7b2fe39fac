// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// DPDK ports: each client port and, where configured, the exception port behind it.
//
// Every worker gets one RX and one TX queue on each of them, RX from its own pool. Any PMD with
// enough queues works; an error says what a port cannot do. Descriptors are adjusted to the PMD. A
// link that is down at start is no error. Main lcore, start and stop only, but port_stats, which it
// calls each second.
//
// Other settings: offloads, the spread over queues (port_rss.h), MAC addresses
// (port_mac.h), link state, removal, rules of the NIC
// (port_flow.h).

#include "port_flow.h"
#include "port_link.h"
#include "port_rss.h"
#include "state/worker.h"

enum { PORT_WHY_MAX = 256, PORTS_ALL_MAX = 2 * CONFIG_PORTS_MAX };

struct port {
	uint16_t id;
	uint16_t rx_descriptors, tx_descriptors; // per queue, as adjusted
	uint16_t queues, mtu;
	uint16_t dns_most; // bytes of DNS that fit its MTU and a packet buffer
	bool exception;
	bool dma;         // keeps sent frames in its TX ring, refills RX in batches
	bool xdp;         // AF_XDP: no checksum can be trusted (a veth's are partial)
	bool strips_tags; // VLAN tags, which then are beside the frame
	bool sees_others; // frames for other hosts, which workers must filter (port_mac.c)
	bool has_rest;    // one more RX queue, behind the workers'
	char driver[32];
	char name[STATS_PORT_NAME]; // for statistics: device name, or the kernel interface
	struct rte_ether_addr mac;
	uint8_t rss_key[PORT_RSS_KEY_MAX]; // drivers read it again each time the port starts
	uint32_t features;                 // bits of enum port_feature
	struct port_link link;
	struct port_gone gone;
	struct port_flow flow;
};

struct ports {
	unsigned count; // client ports first, in configuration order, then exception ports
	struct port port[PORTS_ALL_MAX];
	unsigned client_count;
	int exception_of[CONFIG_PORTS_MAX]; // index in port[]; -1 without one
	unsigned started;
};

// Finds the ports that EAL probed and learns their names; configures nothing yet.
ATTR_MUST_CHECK int ports_find(
	struct ports *out, const struct config_dataplane *dp, char why[PORT_WHY_MAX]);

// The most workers that every port has queues for, at most `wanted`; at least 1.
unsigned ports_workers_most(const struct ports *p, unsigned wanted);
bool ports_have_xdp(const struct ports *p); // one by AF_XDP, in mode `xdp` or as a device

// Queues, MAC, multicast, start. pools[i] is worker i's.
ATTR_MUST_CHECK int ports_start(struct ports *p, const struct config *config,
	struct rte_mempool *const *pools, char why[PORT_WHY_MAX]);
// Stops and closes what ports_start started, but for ports that are gone.
void ports_stop(struct ports *p);

// What worker `index` needs to know of the client ports.
void ports_bind(const struct ports *p, const struct config_dataplane *dp, struct worker *w);

// Most buffers of one worker that ports may hold: for sizing a pool and for their audit.
unsigned ports_tx_hold(const struct ports *p); // 0 for ports that free the frames they send
unsigned ports_rx_vary(const struct ports *p);
// A pool's least size: with all rings full, the pool's caches, and where there is an exception port
// all that may wait for the kernel, there are still buffers to receive with.
unsigned ports_mbufs_least(const struct ports *p);

// A worker has found that interrupts of its ports do not arrive: shown for those that have some.
void ports_on_timer(struct ports *p);
// The first port whose device is gone, or NULL.
const struct port *ports_gone(const struct ports *p);
int ports_gone_why(
	const struct ports *p, char *why, size_t cap); // 0 while all are there; -ENODEV with `why`

void port_stats(struct port *port, struct stats_port *out);

// Announces the service addresses on ports without a kernel interface, where weir answers ARP and
// neighbour solicitations itself (stage/local_arp_nd.h): one ARP announcement (RFC 5227, 3) and one
// unsolicited neighbour advertisement (RFC 4861, 7.2.6) for each address, untagged.
//
// While the data plane was away a client may have asked for the address. It repeats that after a
// second, and meanwhile its queries wait or are lost; the announcement ends that. Main lcore,
// between the start of the ports and that of the workers; a frame that the port does not take is
// freed.

// `pool`: of worker 0, whose TX queue is used.
void ports_announce(
	const struct ports *p, const struct worker_service *service, struct rte_mempool *pool);
