// SPDX-License-Identifier: BSD-3-Clause

#include "port_mac.h"

#include <rte_errno.h>
#include <rte_ethdev.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/log.h>

static void take_modes(struct port *port)
{
	(void)rte_eth_promiscuous_disable(port->id);
	if (rte_eth_promiscuous_get(port->id) == 1)
		port->features |= 1u << PORT_FEATURE_promiscuous;
	// A packet socket gets all that its interface receives, and another program may have made
	// that promiscuous. A TAP is a wire to this machine, and udev may give the kernel interface
	// behind its exception port another address at any time.
	port->sees_others = port->features & 1u << PORT_FEATURE_promiscuous
				    ? strcmp(port->driver, "net_tap") != 0
				    : strcmp(port->driver, "net_af_packet") == 0;
	// A port that cannot filter passes multicast anyway.
	int rc = rte_eth_allmulticast_enable(port->id);
	if (rc && rc != -ENOTSUP)
		log_warning("port %s: cannot enable multicast: %s", port->name, rte_strerror(-rc));
}

static int add_one(const struct port *port, const struct config_mac *config, char why[PORT_WHY_MAX])
{
	struct rte_ether_addr mac;
	memcpy(&mac, config, sizeof(mac));
	if (rte_is_same_ether_addr(&mac, &port->mac))
		return 0;
	int rc = rte_eth_dev_mac_addr_add(port->id, &mac, 0);
	if (rc == 0 || (rc == -ENOTSUP && port->sees_others))
		return 0;
	char text[CONFIG_MAC_TEXT_MAX];
	snprintf(why, PORT_WHY_MAX, "port %s (%s): does not take the MAC %s beside its own: %s",
		port->name, port->driver, config_mac_text(config, text), rte_strerror(-rc));
	return rc;
}

int port_mac_apply(struct port *port, const struct config_port *config, char why[PORT_WHY_MAX])
{
	take_modes(port);
	int rc = rte_eth_macaddr_get(port->id, &port->mac);
	if (rc) {
		snprintf(why, PORT_WHY_MAX, "port %s (%s): has no MAC address: %s", port->name,
			port->driver, rte_strerror(-rc));
		return rc;
	}
	for (unsigned i = 0; rc == 0 && i < config->mac_count && !port->exception && !port->xdp;
		i++)
		rc = add_one(port, &config->macs[i], why);
	return rc;
}

void port_mac_share(const struct port *client, struct port *exception)
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

// Adds an address, in the form that stage_screen.c reads.
static void take(struct worker_port *out, const void *mac)
{
	uint64_t word = 0;
	memcpy(&word, mac, RTE_ETHER_ADDR_LEN);
	for (unsigned i = 0; i < out->mac_count; i++) {
		if (out->macs[i] == word)
			return;
	}
	out->macs[out->mac_count++] = word;
}

void port_mac_bind(const struct port *client, const struct port *exception,
	const struct config_port *config, struct worker_port *out)
{
	out->mac_count = 0;
	if (!client->sees_others || client->xdp)
		return;
	// Where the kernel answers ARP, clients know its address.
	if (exception)
		take(out, &exception->mac);
	take(out, &client->mac);
	for (unsigned i = 0; i < config->mac_count; i++)
		take(out, &config->macs[i]);
}
