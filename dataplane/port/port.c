// SPDX-License-Identifier: BSD-3-Clause
#include "port.h"

#include "eal_args.h"
#include "idle_sleep.h"
#include "mbuf_pool.h"
#include "port_link.h"
#include "port_mac.h"
#include "stage/frame.h"

#include <rte_arp.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_mbuf.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weir/config.h>
#include <weir/config/pci_name.h>
#include <weir/log.h>

enum { ADVERTISEMENT_LEN = 32, ADVERTISEMENT = 136, OVERRIDE = 0x20, TARGET_MAC = 2 };

// A frame of `len` bytes behind the Ethernet header, all zero; NULL: the pool is empty.
static struct rte_mbuf *frame_new(struct rte_mempool *pool, const struct port *port,
	const uint8_t to[6], uint16_t ether_type, uint16_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	if (!m)
		return NULL;
	const uint16_t all = (uint16_t)(sizeof(struct rte_ether_hdr) + len);
	struct rte_ether_hdr *eth = (void *)rte_pktmbuf_append(m, all);
	memset(eth, 0, all);
	memcpy(&eth->dst_addr, to, 6);
	eth->src_addr = port->mac;
	eth->ether_type = rte_cpu_to_be_16(ether_type);
	return m;
}

static struct rte_mbuf *announcement(
	struct rte_mempool *pool, const struct port *port, rte_be32_t address)
{
	static const uint8_t everyone[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	struct rte_mbuf *m =
		frame_new(pool, port, everyone, RTE_ETHER_TYPE_ARP, sizeof(struct rte_arp_hdr));
	if (!m)
		return NULL;
	*rte_pktmbuf_mtod_offset(m, struct rte_arp_hdr *, sizeof(struct rte_ether_hdr)) =
		(struct rte_arp_hdr){.arp_hardware = RTE_BE16(RTE_ARP_HRD_ETHER),
			.arp_protocol = RTE_BE16(RTE_ETHER_TYPE_IPV4),
			.arp_hlen = 6,
			.arp_plen = 4,
			.arp_opcode = RTE_BE16(RTE_ARP_OP_REQUEST),
			.arp_data = {.arp_sha = port->mac, .arp_sip = address, .arp_tip = address}};
	return m;
}

static struct rte_mbuf *advertisement(
	struct rte_mempool *pool, const struct port *port, const uint8_t address[16])
{
	static const uint8_t all_nodes[16] = {0xff, 0x02, [15] = 1}; // ff02::1
	static const uint8_t all_nodes_mac[6] = {0x33, 0x33, 0, 0, 0, 1};
	struct rte_mbuf *m = frame_new(
		pool, port, all_nodes_mac, RTE_ETHER_TYPE_IPV6, FRAME_IPV6_LEN + ADVERTISEMENT_LEN);
	if (!m)
		return NULL;
	struct rte_ipv6_hdr *ip =
		rte_pktmbuf_mtod_offset(m, struct rte_ipv6_hdr *, sizeof(struct rte_ether_hdr));
	uint8_t *icmp = (uint8_t *)ip + FRAME_IPV6_LEN;
	ip->vtc_flow = RTE_BE32(UINT32_C(6) << 28);
	ip->payload_len = RTE_BE16(ADVERTISEMENT_LEN);
	ip->proto = IPPROTO_ICMPV6;
	ip->hop_limits = 255;
	memcpy(&ip->src_addr, address, 16);
	memcpy(&ip->dst_addr, all_nodes, 16);
	icmp[0] = ADVERTISEMENT;
	icmp[4] = OVERRIDE;
	memcpy(icmp + 8, address, 16);
	icmp[24] = TARGET_MAC;
	icmp[25] = 1; // the option's length in units of 8 bytes
	memcpy(icmp + 26, &port->mac, 6);
	const uint16_t sum = csum_add(csum_partial(icmp, ADVERTISEMENT_LEN),
		frame_pseudo_sum_ipv6(icmp - 32, IPPROTO_ICMPV6, ADVERTISEMENT_LEN));
	put_u16(icmp + 2, (uint16_t)~sum);
	return m;
}

static void send_one(const struct port *port, struct rte_mbuf *m)
{
	if (m && rte_eth_tx_burst(port->id, 0, &m, 1) == 0)
		rte_pktmbuf_free(m);
}

void ports_announce(
	const struct ports *p, const struct worker_service *service, struct rte_mempool *pool)
{
	for (unsigned i = 0; i < p->client_count; i++) {
		const struct port *port = &p->port[i];
		if (p->exception_of[i] >= 0 || port->xdp)
			continue; // the kernel's
		for (unsigned a = 0; a < service->v4_count; a++)
			send_one(port, announcement(pool, port, service->v4[a]));
		for (unsigned a = 0; a < service->v6_count; a++)
			send_one(port, advertisement(pool, port, service->v6[a]));
	}
}

// VLANs that a NIC drops unless its driver names them.
//
// A virtio NIC whose driver has negotiated VIRTIO_NET_F_CTRL_VLAN drops frames of each VLAN that
// the driver has not named (virtio 1.2, 5.1.6.5.3), and DPDK's driver always negotiates it. So
// port_offload_choose asks for VLAN filters on virtio, and here those of `ports[].vlans` are named.
// One command for each: all 4,094 took 1.2 s in an emulated machine, so without `vlans` none is
// named. Other NICs pass all tags. Main lcore, at start.

// After rte_eth_dev_start. named: a bit for each VLAN, CONFIG_VLANS of them. A NIC that refuses one
// is warned about.
static void port_vlan_admit(uint16_t port_id, const char *name, const uint64_t *named)
{
	const int offload = rte_eth_dev_get_vlan_offload(port_id);
	if (offload < 0 || !(offload & RTE_ETH_VLAN_FILTER_OFFLOAD))
		return;
	for (uint16_t id = 1; id <= CONFIG_VLAN_MAX; id++) {
		if (!(named[id / 64] >> id % 64 & 1))
			continue;
		const int rc = rte_eth_dev_vlan_filter(port_id, id, 1);
		if (rc) {
			log_warning("port %s: the NIC does not accept VLAN %u (%s): frames of it "
				    "and of later ones do not come",
				name, id, rte_strerror(-rc));
			return;
		}
	}
}

enum {
	FRAME_OVERHEAD = 40 + 8, // IPv6 and UDP around a DNS message
	MTU_ETHERNET = 1500,
	XDP_RING = 2048, // buffers that net_af_xdp posts for receiving, and its completion ring
};

static bool is_missing(const char *device, char pci[PCI_NAME_MAX])
{
	char name[EAL_ARG_TEXT_MAX], path[64];
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(device, ","), device);
	if (!pci_name_parse(name, pci))
		return false;
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", pci);
	return access(path, F_OK) != 0;
}

static void not_found(const char *device, char why[PORT_WHY_MAX])
{
	char pci[PCI_NAME_MAX];
	if (is_missing(device, pci))
		snprintf(why, PORT_WHY_MAX, "port %.100s: this machine has no PCI device %s",
			device, pci);
	else
		snprintf(why, PORT_WHY_MAX,
			"port %.100s: DPDK found no such port (driver missing, device not bound, "
			"or a wrong argument; see its messages above)",
			device);
}

static int find_one(struct port *out, const char *device, const char *shown, bool exception,
	char why[PORT_WHY_MAX])
{
	struct rte_eth_dev_info info;
	int rc = rte_eth_dev_get_port_by_name(device, &out->id);
	if (rc == 0)
		rc = rte_eth_dev_info_get(out->id, &info);
	if (rc) {
		not_found(device, why);
		return -ENODEV;
	}
	out->exception = exception;
	snprintf(out->driver, sizeof(out->driver), "%s", info.driver_name);
	snprintf(out->name, sizeof(out->name), "%.*s", STATS_PORT_NAME - 1, shown);
	// A driver that copies holds exactly the RX buffers that it took at start, and frees what
	// it has sent before the burst returns.
	out->dma = !port_offload_is_software(info.driver_name);
	out->xdp = strcmp(info.driver_name, "net_af_xdp") == 0;
	// It takes tags off whether asked or not.
	out->strips_tags = strcmp(info.driver_name, "net_af_packet") == 0;
	return 0;
}

int ports_find(struct ports *out, const struct config_dataplane *dp, char why[PORT_WHY_MAX])
{
	struct ports p = {.client_count = dp->port_count, .count = dp->port_count};
	for (unsigned i = 0; i < dp->port_count; i++) {
		char device[EAL_ARG_TEXT_MAX];
		int rc = eal_device_name(dp->ports[i].device, device);
		if (rc == 0)
			rc = find_one(&p.port[i], device,
				dp->ports[i].xdp ? dp->ports[i].xdp : device, false, why);
		if (rc)
			return rc;
		p.exception_of[i] = -1;
		if (!dp->ports[i].exception[0])
			continue;
		eal_exception_name(i, device);
		rc = find_one(&p.port[p.count], device, dp->ports[i].exception, true, why);
		if (rc)
			return rc;
		p.exception_of[i] = (int)p.count++;
	}
	*out = p;
	return 0;
}

static int fail(const struct port *port, int rc, const char *what, char why[PORT_WHY_MAX])
{
	snprintf(why, PORT_WHY_MAX, "port %s (%s): %s: %s", port->name, port->driver, what,
		rte_strerror(-rc));
	return rc;
}

bool ports_have_xdp(const struct ports *p)
{
	for (unsigned i = 0; i < p->count; i++) {
		if (p->port[i].xdp)
			return true;
	}
	return false;
}

unsigned ports_workers_most(const struct ports *p, unsigned wanted)
{
	for (unsigned i = 0; i < p->count; i++) {
		struct rte_eth_dev_info info;
		if (rte_eth_dev_info_get(p->port[i].id, &info) != 0)
			continue; // the data plane's start says why
		unsigned most = RTE_MIN(info.max_rx_queues, info.max_tx_queues);
		wanted = RTE_MIN(wanted, most);
	}
	return wanted ? wanted : 1;
}

static int check_queues(const struct port *port, const struct rte_eth_dev_info *info,
	unsigned workers, char why[PORT_WHY_MAX])
{
	if (info->max_rx_queues >= workers && info->max_tx_queues >= workers)
		return 0;
	snprintf(why, PORT_WHY_MAX,
		"port %s (%s): %u workers need as many RX and TX queues, it has %u and %u "
		"(fewer dataplane.worker_lcores, or more queues in the device string)",
		port->name, port->driver, workers, info->max_rx_queues, info->max_tx_queues);
	return -ENOTSUP;
}

// A queue for traffic that is not DNS, if steering is on and one is left. The port may refuse the
// rules once it runs; the queue stays and is read in any case.
static bool wants_rest(const struct port *port, const struct rte_eth_dev_info *info,
	const struct config_dataplane *dp)
{
	if (dp->flow_rules != FLOW_RULES_AUTO || port->exception || port->xdp)
		return false;
	if (info->max_rx_queues > dp->worker_count && info->max_tx_queues > dp->worker_count)
		return true;
	log_info(
		"port %s: dataplane.flow_rules is off here: its %u queues are all taken by workers",
		port->name, RTE_MIN(info->max_rx_queues, info->max_tx_queues));
	return false;
}

static void note_features(struct port *port, const struct rte_eth_conf *conf)
{
	port->features |=
		(conf->rxmode.offloads & RTE_ETH_RX_OFFLOAD_UDP_CKSUM ? 1u << PORT_FEATURE_rx_csum
								      : 0)
		| (conf->txmode.offloads ? 1u << PORT_FEATURE_fast_free : 0)
		| (conf->rx_adv_conf.rss_conf.rss_key ? 1u << PORT_FEATURE_rss : 0)
		| (conf->intr_conf.lsc ? 1u << PORT_FEATURE_link_events : 0);
}

// The interface stays the kernel's, and its settings are those of all that the kernel does there.
static bool is_shared(const struct port *p)
{
	return p->xdp || strcmp(p->driver, "net_af_packet") == 0;
}

// May received UDP checksums be partial? A kernel that sends over a veth leaves them to a NIC that
// does not exist.
static bool has_partial(const struct port *p, enum rx_csum_mode mode)
{
	return mode == RX_CSUM_AUTO ? is_shared(p) : mode == RX_CSUM_COMPUTE;
}

static int configure(struct port *port, const struct config_dataplane *dp, char why[PORT_WHY_MAX])
{
	struct rte_eth_dev_info info;
	uint16_t queues = (uint16_t)dp->worker_count;
	int rc = rte_eth_dev_info_get(port->id, &info);
	if (rc)
		return fail(port, rc, "cannot be asked", why);
	rc = check_queues(port, &info, queues, why);
	if (rc)
		return rc;
	uint16_t rest = wants_rest(port, &info, dp);

	struct rte_eth_conf conf = {0};
	port_offload_choose(&info, has_partial(port, dp->rx_csum), &conf);
	port_link_choose(&info, &port->link, &conf);
	rc = port_rss_choose(&info, queues + rest, dp->rss, port->rss_key, &conf);
	if (rc)
		return fail(port, rc, "no random numbers for its hash key", why);
	note_features(port, &conf);
	conf.intr_conf.rxq |=
		dp->poll == POLL_ADAPTIVE && idle_sleep_asks_port(port->driver, port->name);
	// Some drivers want as many in either direction.
	const uint16_t all = queues + rest;
	rc = rte_eth_dev_configure(port->id, all, all, &conf);
	if (rc)
		return fail(port, rc, "refuses its configuration", why);
	port->queues = queues;
	port->has_rest = rest;
	port->rx_descriptors = (uint16_t)dp->rx_descriptors;
	port->tx_descriptors = (uint16_t)dp->tx_descriptors;
	if (port->xdp) // AF_XDP rings have the size of `rx`, which must be a power of two
		port->rx_descriptors = (uint16_t)rte_align32prevpow2(port->rx_descriptors);
	rc = rte_eth_dev_adjust_nb_rx_tx_desc(
		port->id, &port->rx_descriptors, &port->tx_descriptors);
	return rc ? fail(port, rc, "refuses its numbers of descriptors", why) : 0;
}

// The rest queue is worker 0's as well.
static int set_up_queues(
	const struct port *port, struct rte_mempool *const *pools, char why[PORT_WHY_MAX])
{
	unsigned socket = (unsigned)rte_eth_dev_socket_id(port->id);
	for (uint16_t q = 0; q < port->queues + port->has_rest; q++) {
		int rc = rte_eth_rx_queue_setup(port->id, q, port->rx_descriptors, socket, NULL,
			pools[q < port->queues ? q : 0]);
		if (rc)
			return fail(port, rc, "refuses an RX queue (enough dataplane.mbufs?)", why);
		rc = rte_eth_tx_queue_setup(port->id, q, port->tx_descriptors, socket, NULL);
		if (rc)
			return fail(port, rc, "refuses a TX queue", why);
	}
	return 0;
}

// Replies longer than the link's MTU would only ever be counted as errors by the port, and some
// drivers then refuse the rest of the burst as well. So what fits is found out here, once, and the
// workers truncate the rest: also after a reload that raises limits.udp_reply_size. No reply of a
// worker goes to an exception port, which keeps its MTU.
static int fit_mtu(struct port *port, unsigned udp_reply_size, const struct rte_mempool *pool,
	char why[PORT_WHY_MAX])
{
	unsigned need = udp_reply_size + FRAME_OVERHEAD;
	uint16_t mtu = 0;
	int rc = need <= MTU_ETHERNET || port->exception ? 0
		 : is_shared(port)                       ? -EPERM
				   : rte_eth_dev_set_mtu(port->id, (uint16_t)need);
	int asked = rte_eth_dev_get_mtu(port->id, &mtu);
	if (asked)
		return fail(port, asked, "does not tell its MTU", why);
	unsigned most = mtu > FRAME_OVERHEAD ? mtu - FRAME_OVERHEAD : 0;
	unsigned room = mbuf_pool_dns_room(pool);
	port->mtu = mtu;
	port->dns_most = (uint16_t)(most < room ? most : room);
	if (rc && port->dns_most < udp_reply_size)
		log_warning("port %s: cannot set MTU %u (%s); replies above %u bytes are truncated "
			    "(limits.udp_reply_size)",
			port->name, need,
			is_shared(port) ? "the kernel's to set" : rte_strerror(-rc),
			port->dns_most);
	return 0;
}

// The table leads to the rest queue, rules lead DNS away from there. False: the port cannot.
static bool steer(struct port *port, const struct rte_eth_dev_info *info)
{
	char reason[128] = "";
	if (!port->has_rest)
		return false;
	bool is_default = port_rss_spread(port->id, info, port->queues, 1) == 1;
	if (port_flow_steer(&port->flow, port->id, port->queues, port->queues, is_default, reason,
		    sizeof(reason))) {
		port->features |= 1u << PORT_FEATURE_steering;
		return true;
	}
	log_info("port %s: frames other than DNS stay on the workers' queues: %s", port->name,
		reason);
	return false;
}

static int spread(struct port *port, char why[PORT_WHY_MAX])
{
	struct rte_eth_dev_info info;
	if (port->queues + port->has_rest < 2 || rte_eth_dev_info_get(port->id, &info) != 0
		|| steer(port, &info))
		return 0;
	int rc = port_rss_spread(port->id, &info, 0, port->queues);
	port->features |= rc > 0 ? 1u << PORT_FEATURE_reta : 0;
	return rc < 0 ? fail(port, rc, "refuses its table of queues", why) : 0;
}

static int start_one(struct ports *p, unsigned index, const struct config *config,
	struct rte_mempool *const *pools, char why[PORT_WHY_MAX])
{
	struct port *port = &p->port[index];
	int rc = configure(port, &config->dataplane, why);
	if (rc == 0)
		rc = set_up_queues(port, pools, why);
	if (rc)
		return rc;
	rc = fit_mtu(port, config->limits.udp_reply_size, pools[0], why);
	if (rc)
		return rc;
	rc = rte_eth_dev_start(port->id);
	if (rc)
		return fail(port, rc, "does not start", why);
	p->started++;
	port_link_watch(&port->link, port->id);
	port_gone_watch(&port->gone, port->id, port->name);
	const int vlan = rte_eth_dev_get_vlan_offload(port->id);
	port->strips_tags |= vlan > 0 && (vlan & RTE_ETH_VLAN_STRIP_OFFLOAD);
	rc = spread(port, why);
	static const struct config_port none;
	const struct config_port *own = port->exception ? &none : &config->dataplane.ports[index];
	if (own->has_vlans)
		port_vlan_admit(port->id, port->name, own->vlans);
	return rc ? rc : port_mac_apply(port, own, why);
}

int ports_start(struct ports *p, const struct config *config, struct rte_mempool *const *pools,
	char why[PORT_WHY_MAX])
{
	for (unsigned i = 0; i < p->count; i++) {
		int rc = start_one(p, i, config, pools, why);
		if (rc) {
			ports_stop(p);
			return rc;
		}
	}
	for (unsigned i = 0; i < p->client_count; i++) {
		if (p->exception_of[i] >= 0)
			port_mac_share(&p->port[i], &p->port[p->exception_of[i]]);
	}
	return 0;
}

void ports_stop(struct ports *p)
{
	while (p->started > 0) {
		struct port *port = &p->port[--p->started];
		port_gone_unwatch(&port->gone, port->id);
		if (port_gone_text(&port->gone))
			continue;
		port_flow_clear(&port->flow, port->id);
		port_link_unwatch(&port->link, port->id);
		(void)rte_eth_dev_stop(port->id);
		(void)rte_eth_dev_close(port->id);
	}
}

static struct worker_port bind_one(const struct ports *p, unsigned i,
	const struct config_dataplane *dp, const struct worker *w)
{
	int exception = p->exception_of[i];
	struct worker_port out = {
		.port_id = p->port[i].id,
		.exception_id = exception >= 0 ? p->port[exception].id : 0,
		.queue = (uint16_t)w->index,
		.rx_queue = (uint16_t)w->index,
		.has_exception = exception >= 0,
		.has_partial = has_partial(&p->port[i], dp->rx_csum),
		.vlans = dp->ports[i].has_vlans ? dp->ports[i].vlans : NULL,
		.dns_most = p->port[i].dns_most,
		.mac = p->port[i].mac,
	};
	port_mac_bind(
		&p->port[i], exception >= 0 ? &p->port[exception] : NULL, &dp->ports[i], &out);
	out.is_screened = dp->ports[i].has_vlans || p->port[i].strips_tags || out.mac_count;
	return out;
}

void ports_bind(const struct ports *p, const struct config_dataplane *dp, struct worker *w)
{
	w->port_count = p->client_count;
	for (unsigned i = 0; i < p->client_count; i++)
		w->port[i] = bind_one(p, i, dp, w);
	for (unsigned i = 0; i < p->client_count && w->index == 0; i++) {
		if (!p->port[i].has_rest)
			continue;
		w->port[w->port_count] = w->port[i];
		w->port[w->port_count++].rx_queue = p->port[i].queues;
	}
}

// Whatever its rings' sizes, net_af_xdp posts XDP_RING buffers, and keeps what it has sent until it
// sends again. Worker 0's count, which reads the rest queues too.
static unsigned rx_posted(const struct port *p)
{
	return p->xdp ? XDP_RING : p->rx_descriptors * (1u + p->has_rest);
}

static unsigned tx_hold(const struct port *p)
{
	return p->xdp ? XDP_RING + p->rx_descriptors : p->dma ? p->tx_descriptors : 0;
}

static unsigned all_posted(const struct ports *p)
{
	unsigned sum = 0;
	for (unsigned i = 0; i < p->count; i++)
		sum += rx_posted(&p->port[i]);
	return sum;
}

unsigned ports_tx_hold(const struct ports *p)
{
	unsigned sum = 0;
	for (unsigned i = 0; i < p->count; i++)
		sum += tx_hold(&p->port[i]);
	return sum;
}

unsigned ports_rx_vary(const struct ports *p)
{
	unsigned sum = 0;
	for (unsigned i = 0; i < p->count; i++)
		sum += p->port[i].dma ? rx_posted(&p->port[i]) : 0;
	return sum;
}

unsigned ports_mbufs_least(const struct ports *p)
{
	static_assert(2 * MBUF_POOL_CACHE + 4 * WORKER_BATCH == CONFIG_MBUF_SPARE);
	const unsigned waiting = p->count > p->client_count ? EXCEPTION_WAITING : 0;
	return all_posted(p) + ports_tx_hold(p) + waiting + CONFIG_MBUF_SPARE;
}

void ports_on_timer(struct ports *p)
{
	for (unsigned i = 0; i < p->client_count; i++) {
		if (p->port[i].dma && idle_sleep_asks_port(p->port[i].driver, p->port[i].name))
			p->port[i].features |= 1u << PORT_FEATURE_timer;
	}
}

const struct port *ports_gone(const struct ports *p)
{
	for (unsigned i = 0; i < p->count; i++) {
		if (port_gone_text(&p->port[i].gone))
			return &p->port[i];
	}
	return NULL;
}

int ports_gone_why(const struct ports *p, char *why, size_t cap)
{
	const struct port *port = ports_gone(p);
	if (!port)
		return 0;
	snprintf(why, cap,
		"port %s: %s; the data plane ends, and serves again when it is started with the "
		"device in place",
		port->name, port_gone_text(&port->gone));
	return -ENODEV;
}

static uint64_t mac_number(const struct rte_ether_addr *mac)
{
	uint64_t n = 0;
	for (unsigned i = 0; i < sizeof(mac->addr_bytes); i++)
		n = n << 8 | mac->addr_bytes[i];
	return n;
}

void port_stats(struct port *port, struct stats_port *out)
{
	struct rte_eth_stats s;
	const bool has_stats = rte_eth_stats_get(port->id, &s) == 0;
	port_link_frames(&port->link, has_stats ? s.ipackets : 0);
	if (!port_link_look(&port->link, port->id, port->name, out))
		port_gone_report(&port->gone, PORT_GONE_REMOVED);
	atomic_store_explicit(&out->mac, mac_number(&port->mac), memory_order_relaxed);
	atomic_store_explicit(&out->features, port->features, memory_order_relaxed);
	atomic_store_explicit(&out->mtu, port->mtu, memory_order_relaxed);
	atomic_store_explicit(&out->queues, port->queues, memory_order_relaxed);
	if (!has_stats)
		return;
	atomic_store_explicit(&out->ipackets, s.ipackets, memory_order_relaxed);
	atomic_store_explicit(&out->opackets, s.opackets, memory_order_relaxed);
	atomic_store_explicit(&out->imissed, s.imissed, memory_order_relaxed);
	atomic_store_explicit(&out->ierrors, s.ierrors, memory_order_relaxed);
	atomic_store_explicit(&out->oerrors, s.oerrors, memory_order_relaxed);
	atomic_store_explicit(&out->rx_nombuf, s.rx_nombuf, memory_order_relaxed);
}
