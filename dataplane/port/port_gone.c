// SPDX-License-Identifier: BSD-3-Clause
#include "port_gone.h"

#include <rte_dev.h>
#include <rte_ethdev.h>

#include <stdatomic.h>
#include <stddef.h>
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
