// SPDX-License-Identifier: BSD-3-Clause

#include "port.h"

#include "eal_args.h"
#include "mbuf_pool.h"

#include <rte_errno.h>
#include <rte_ethdev.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/log.h>

enum {
	FRAME_OVERHEAD = 40 + 8, // IPv6 and UDP around a DNS message
	MTU_ETHERNET = 1500,
};

// Drivers that copy: they hold exactly the RX buffers that they took at start, and free what they
// have sent before the burst returns.
static bool driver_copies(const char *driver)
{
	static const char *const copying[] = {
		"net_tap", "net_pcap", "net_null", "net_af_packet", "net_memif"};
	for (unsigned i = 0; i < ARRAY_LEN(copying); i++) {
		if (strcmp(driver, copying[i]) == 0)
			return true;
	}
	return false;
}

static int find_one(struct port *out, const char *device, const char *shown, bool exception,
	char why[PORT_WHY_MAX])
{
	struct rte_eth_dev_info info;
	int rc = rte_eth_dev_get_port_by_name(device, &out->id);
	if (rc == 0)
		rc = rte_eth_dev_info_get(out->id, &info);
	if (rc) {
		snprintf(why, PORT_WHY_MAX,
			"port %.100s: DPDK found no such port (driver missing, device not bound, "
			"or a wrong argument; see its messages above)",
			device);
		return -ENODEV;
	}
	out->exception = exception;
	snprintf(out->driver, sizeof out->driver, "%s", info.driver_name);
	snprintf(out->name, sizeof out->name, "%s", shown);
	out->dma = !driver_copies(info.driver_name);
	return 0;
}

int ports_find(struct ports *out, const struct config_dataplane *dp, char why[PORT_WHY_MAX])
{
	struct ports p = {.client_count = dp->port_count, .count = dp->port_count};
	for (unsigned i = 0; i < dp->port_count; i++) {
		char device[EAL_ARG_TEXT_MAX];
		int rc = eal_device_name(dp->ports[i].device, device);
		if (rc == 0)
			rc = find_one(&p.port[i], device, device, false, why);
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

static int check_queues(const struct port *port, const struct rte_eth_dev_info *info,
	unsigned workers, char why[PORT_WHY_MAX])
{
	if (info->max_rx_queues >= workers && info->max_tx_queues >= workers)
		return 0;
	snprintf(why, PORT_WHY_MAX,
		"port %s (%s): %u workers need as many RX and TX queues, it has %u and %u "
		"(fewer dataplane.workers, or more queues in the device string)",
		port->name, port->driver, workers, info->max_rx_queues, info->max_tx_queues);
	return -ENOTSUP;
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

	struct rte_eth_conf conf = {0};
	if (queues > 1) {
		// Clients are spread by address and port; a PMD that hashes by itself says 0.
		conf.rx_adv_conf.rss_conf.rss_hf =
			info.flow_type_rss_offloads
			& (RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_TCP);
		if (conf.rx_adv_conf.rss_conf.rss_hf)
			conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	}
	rc = rte_eth_dev_configure(port->id, queues, queues, &conf);
	if (rc)
		return fail(port, rc, "refuses its configuration", why);
	port->rx_descriptors = (uint16_t)dp->rx_descriptors;
	port->tx_descriptors = (uint16_t)dp->tx_descriptors;
	rc = rte_eth_dev_adjust_nb_rx_tx_desc(
		port->id, &port->rx_descriptors, &port->tx_descriptors);
	return rc ? fail(port, rc, "refuses its numbers of descriptors", why) : 0;
}

static int set_up_queues(const struct port *port, unsigned workers,
	struct rte_mempool *const *pools, char why[PORT_WHY_MAX])
{
	unsigned socket = (unsigned)rte_eth_dev_socket_id(port->id);
	for (uint16_t q = 0; q < workers; q++) {
		int rc = rte_eth_rx_queue_setup(
			port->id, q, port->rx_descriptors, socket, NULL, pools[q]);
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
// workers truncate the rest: also after a reload that raises limits.udp_reply_size.
static int fit_mtu(struct port *port, unsigned udp_reply_size, const struct rte_mempool *pool,
	char why[PORT_WHY_MAX])
{
	unsigned need = udp_reply_size + FRAME_OVERHEAD;
	int rc = need > MTU_ETHERNET ? rte_eth_dev_set_mtu(port->id, (uint16_t)need) : 0;
	uint16_t mtu = 0;
	int asked = rte_eth_dev_get_mtu(port->id, &mtu);
	if (asked)
		return fail(port, asked, "does not tell its MTU", why);
	unsigned most = mtu > FRAME_OVERHEAD ? mtu - FRAME_OVERHEAD : 0;
	unsigned room = mbuf_pool_dns_room(pool);
	port->dns_most = (uint16_t)(most < room ? most : room);
	if (rc)
		log_warning("port %s: takes no MTU of %u (%s); replies above %u octets are "
			    "truncated (limits.udp_reply_size)",
			port->name, need, rte_strerror(-rc), port->dns_most);
	return 0;
}

static int start_one(struct ports *p, struct port *port, const struct config *config,
	struct rte_mempool *const *pools, char why[PORT_WHY_MAX])
{
	int rc = configure(port, &config->dataplane, why);
	if (rc == 0)
		rc = set_up_queues(port, config->dataplane.worker_count, pools, why);
	if (rc)
		return rc;
	rc = fit_mtu(port, config->limits.udp_reply_size, pools[0], why);
	if (rc)
		return rc;
	rc = rte_eth_dev_start(port->id);
	if (rc)
		return fail(port, rc, "does not start", why);
	p->started++;
	// Neighbour discovery comes by multicast; a port that cannot filter passes it anyway.
	rc = rte_eth_allmulticast_enable(port->id);
	if (rc && rc != -ENOTSUP)
		log_warning("port %s: multicast cannot be turned on: %s", port->name,
			rte_strerror(-rc));
	rc = rte_eth_macaddr_get(port->id, &port->mac);
	return rc ? fail(port, rc, "has no MAC address", why) : 0;
}

// On a NIC clients must find the kernel's answers (ARP, TCP) at the MAC that the NIC takes frames
// for. A TAP takes all frames, so its exception port keeps its own.
static void share_mac(const struct port *client, struct port *exception)
{
	if (strcmp(client->driver, "net_tap") == 0)
		return;
	struct rte_ether_addr mac = client->mac;
	int rc = rte_eth_dev_default_mac_addr_set(exception->id, &mac);
	if (rc)
		log_warning("exception port %s: does not take the MAC of %s: %s", exception->name,
			client->name, rte_strerror(-rc));
	else
		exception->mac = mac;
}

int ports_start(struct ports *p, const struct config *config, struct rte_mempool *const *pools,
	char why[PORT_WHY_MAX])
{
	for (unsigned i = 0; i < p->count; i++) {
		int rc = start_one(p, &p->port[i], config, pools, why);
		if (rc) {
			ports_stop(p);
			return rc;
		}
	}
	for (unsigned i = 0; i < p->client_count; i++) {
		if (p->exception_of[i] >= 0)
			share_mac(&p->port[i], &p->port[p->exception_of[i]]);
	}
	return 0;
}

void ports_stop(struct ports *p)
{
	while (p->started > 0) {
		struct port *port = &p->port[--p->started];
		(void)rte_eth_dev_stop(port->id);
		(void)rte_eth_dev_close(port->id);
	}
}

void ports_bind(const struct ports *p, const struct config_dataplane *dp, struct worker *w)
{
	w->port_count = p->client_count;
	for (unsigned i = 0; i < p->client_count; i++) {
		int exception = p->exception_of[i];
		w->port[i] = (struct worker_port){
			.port_id = p->port[i].id,
			.exception_id = exception >= 0 ? p->port[exception].id : 0,
			.queue = (uint16_t)w->index,
			.has_exception = exception >= 0,
			.rx_csum_trusted = dp->rx_csum == RX_CSUM_TRUSTED,
			.dns_most = p->port[i].dns_most,
			.mac = p->port[i].mac,
		};
	}
}

unsigned ports_rx_posted(const struct ports *p)
{
	unsigned sum = 0;
	for (unsigned i = 0; i < p->count; i++)
		sum += p->port[i].rx_descriptors;
	return sum;
}

unsigned ports_tx_hold(const struct ports *p)
{
	unsigned sum = 0;
	for (unsigned i = 0; i < p->count; i++)
		sum += p->port[i].dma ? p->port[i].tx_descriptors : 0;
	return sum;
}

unsigned ports_rx_vary(const struct ports *p)
{
	unsigned sum = 0;
	for (unsigned i = 0; i < p->count; i++)
		sum += p->port[i].dma ? p->port[i].rx_descriptors : 0;
	return sum;
}

void port_stats(const struct port *port, struct stats_port *out)
{
	struct rte_eth_stats s;
	if (rte_eth_stats_get(port->id, &s) != 0)
		return;
	struct rte_eth_link link = {0};
	(void)rte_eth_link_get_nowait(port->id, &link);
	atomic_store_explicit(&out->ipackets, s.ipackets, memory_order_relaxed);
	atomic_store_explicit(&out->opackets, s.opackets, memory_order_relaxed);
	atomic_store_explicit(&out->imissed, s.imissed, memory_order_relaxed);
	atomic_store_explicit(&out->ierrors, s.ierrors, memory_order_relaxed);
	atomic_store_explicit(&out->oerrors, s.oerrors, memory_order_relaxed);
	atomic_store_explicit(&out->rx_nombuf, s.rx_nombuf, memory_order_relaxed);
	atomic_store_explicit(&out->link_up, link.link_status, memory_order_relaxed);
}
