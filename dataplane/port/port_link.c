// SPDX-License-Identifier: BSD-3-Clause
#include "port_link.h"

#include <rte_dev.h>
#include <rte_ethdev.h>

#include <poll.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <weir/attr.h>
#include <weir/log.h>

// rte_dev_event_callback_register and its twin are experimental in DPDK 22.11.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

void port_gone_report(struct port_gone *g, enum port_gone_reason reason)
{
	uint32_t none = PORT_GONE_NOT;
	atomic_compare_exchange_strong_explicit(
		&g->reason, &none, reason, memory_order_release, memory_order_relaxed);
}

static int on_port_event(uint16_t, enum rte_eth_event_type event, void *gone, void *)
{
	port_gone_report(
		gone, event == RTE_ETH_EVENT_INTR_RESET ? PORT_GONE_RESET : PORT_GONE_REMOVED);
	return 0;
}

static void on_device_event(const char *, enum rte_dev_event_type event, void *gone)
{
	if (event == RTE_DEV_EVENT_REMOVE)
		port_gone_report(gone, PORT_GONE_REMOVED);
}

// Finds the port by the name of its device; false without a name.
static bool device_name(uint16_t port_id, char name[RTE_ETH_NAME_MAX_LEN])
{
	return rte_eth_dev_get_name_by_port(port_id, name) == 0;
}

void port_gone_watch(struct port_gone *g, uint16_t port_id, const char *name)
{
	char device[RTE_ETH_NAME_MAX_LEN];
	g->watched = true;
	if (rte_eth_dev_callback_register(port_id, RTE_ETH_EVENT_INTR_RMV, on_port_event, g)
		|| rte_eth_dev_callback_register(
			port_id, RTE_ETH_EVENT_INTR_RESET, on_port_event, g)
		|| !device_name(port_id, device)
		|| rte_dev_event_callback_register(device, on_device_event, g))
		log_warning("port %s: weir will not notice when its device is removed; restart "
			    "the data plane then",
			name);
}

void port_gone_unwatch(struct port_gone *g, uint16_t port_id)
{
	char device[RTE_ETH_NAME_MAX_LEN];
	if (!g->watched)
		return;
	g->watched = false;
	(void)rte_eth_dev_callback_unregister(port_id, RTE_ETH_EVENT_INTR_RMV, on_port_event, g);
	(void)rte_eth_dev_callback_unregister(port_id, RTE_ETH_EVENT_INTR_RESET, on_port_event, g);
	if (device_name(port_id, device))
		(void)rte_dev_event_callback_unregister(device, on_device_event, g);
}

const char *port_gone_text(const struct port_gone *g)
{
	switch (atomic_load_explicit(&g->reason, memory_order_acquire)) {
	case PORT_GONE_REMOVED:
		return "its device was removed";
	case PORT_GONE_RESET:
		return "its driver needs the port to be set up again";
	default:
		return NULL;
	}
}

static bool is_one_of(const char *driver, const char *const *names, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (strcmp(driver, names[i]) == 0)
			return true;
	}
	return false;
}

bool port_offload_is_software(const char *driver)
{
	static const char *const copying[] = {
		"net_tap", "net_pcap", "net_null", "net_af_packet", "net_memif"};
	return is_one_of(driver, copying, ARRAY_LEN(copying));
}

// Does the NIC verify checksums? A guest's frames from the same host have partial ones.
static bool verifies_csums(const char *driver)
{
	static const char *const partial[] = {
		"net_virtio", "net_virtio_user", "net_vhost", "net_vmxnet3"};
	return !port_offload_is_software(driver) && !is_one_of(driver, partial, ARRAY_LEN(partial));
}

void port_offload_choose(
	const struct rte_eth_dev_info *info, bool has_partial, struct rte_eth_conf *conf)
{
	const uint64_t csums = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
	conf->rxmode.offloads = 0;
	if (!has_partial && verifies_csums(info->driver_name))
		conf->rxmode.offloads = info->rx_offload_capa & csums;
	if (strcmp(info->driver_name, "net_virtio") == 0) // port.c says why
		conf->rxmode.offloads |= info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_VLAN_FILTER;
	conf->txmode.offloads = info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
}

static int on_change(uint16_t, enum rte_eth_event_type, void *arg, void *)
{
	struct port_link *link = arg;
	atomic_store_explicit(&link->event, 1, memory_order_release);
	return 0;
}

// Interrupts that these two claim did not come in an emulated machine. With them ethdev reports the
// state of the last interrupt, without them that of the NIC.
static bool interrupts_come(const char *driver)
{
	return !port_offload_is_software(driver) && strcmp(driver, "net_e1000_em") != 0
	       && strcmp(driver, "net_vmxnet3") != 0;
}

void port_link_choose(
	const struct rte_eth_dev_info *info, struct port_link *link, struct rte_eth_conf *conf)
{
	// The TAP driver would read netlink messages for that, of a namespace that it may have
	// left.
	link->interrupts =
		interrupts_come(info->driver_name) && (*info->dev_flags & RTE_ETH_DEV_INTR_LSC);
	conf->intr_conf.lsc = link->interrupts;
	link->is_tap = strcmp(info->driver_name, "net_tap") == 0;
	conf->intr_conf.rxq = link->is_tap;
}

void port_link_watch(struct port_link *link, uint16_t port_id)
{
	if (link->interrupts
		&& rte_eth_dev_callback_register(port_id, RTE_ETH_EVENT_INTR_LSC, on_change, link))
		link->interrupts = false;
}

void port_link_unwatch(struct port_link *link, uint16_t port_id)
{
	if (link->interrupts)
		(void)rte_eth_dev_callback_unregister(
			port_id, RTE_ETH_EVENT_INTR_LSC, on_change, link);
	link->interrupts = false;
}

bool port_link_has_event(struct port_link *link)
{
	return atomic_load_explicit(&link->event, memory_order_relaxed)
	       && atomic_exchange_explicit(&link->event, 0, memory_order_acquire);
}

static void log_change(const char *name, const struct rte_eth_link *now, uint32_t speed_mbps)
{
	if (!now->link_status)
		log_warning("port %s: link is down", name);
	else if (speed_mbps)
		log_info("port %s: link is up, %u Mbit/s, %s duplex", name, speed_mbps,
			now->link_duplex == RTE_ETH_LINK_FULL_DUPLEX ? "full" : "half");
	else
		log_info("port %s: link is up", name);
}

void port_link_frames(struct port_link *link, uint64_t frames)
{
	link->carries |= frames > 0;
}

// The events of a TAP's queue: POLLOUT while its interface is up, POLLERR when that was deleted.
static short tap_events(uint16_t port_id)
{
	struct pollfd queue = {
		.fd = rte_eth_dev_rx_intr_ctl_q_get_fd(port_id, 0), .events = POLLOUT};
	// A negative one is left out by poll.
	return poll(&queue, 1, 0) == 1 ? queue.revents : 0;
}

bool port_link_look(
	struct port_link *link, uint16_t port_id, const char *name, struct stats_port *out)
{
	struct rte_eth_link now = {0};
	const short tap = link->is_tap ? tap_events(port_id) : 0;
	if (rte_eth_link_get_nowait(port_id, &now) != 0)
		return true;
	if (link->is_tap)
		now.link_status = tap == POLLOUT ? RTE_ETH_LINK_UP : RTE_ETH_LINK_DOWN;
	link->was_up |= now.link_status;
	if (link->carries && !link->was_up)
		now = (struct rte_eth_link){
			.link_status = RTE_ETH_LINK_UP, .link_speed = RTE_ETH_SPEED_NUM_UNKNOWN};
	bool known = now.link_status && now.link_speed != RTE_ETH_SPEED_NUM_UNKNOWN;
	uint32_t speed_mbps = known ? now.link_speed : 0;
	bool up = now.link_status;
	if (!link->seen ? !up : up != link->up || (up && speed_mbps != link->speed_mbps)) {
		log_change(name, &now, speed_mbps);
		link->changes += link->seen;
	}
	link->seen = true;
	link->up = up;
	link->speed_mbps = speed_mbps;
	if (!out)
		return !(tap & POLLERR);
	atomic_store_explicit(&out->link_up, up, memory_order_relaxed);
	atomic_store_explicit(&out->link_speed_mbps, speed_mbps, memory_order_relaxed);
	atomic_store_explicit(&out->link_changes, link->changes, memory_order_relaxed);
	return !(tap & POLLERR);
}
