// SPDX-License-Identifier: BSD-3-Clause
#include "steering.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/log.h>

static_assert(1 + (int)CONFIG_PORT_MACS_MAX <= (int)STEER_MACS_MAX);

// The address as steer_abi.h has it.
static uint64_t word_of(const uint8_t bytes[6])
{
	uint64_t word = 0;
	memcpy(&word, bytes, 6);
	return word;
}

void steering_mac_init(uint64_t mac[STEER_MACS_MAX], const struct config_port *port)
{
	memset(mac, 0, STEER_MACS_MAX * sizeof(mac[0]));
	for (unsigned i = 0; i < port->mac_count; i++)
		mac[1 + i] = word_of((const uint8_t *)&port->macs[i]);
}

void steering_mac_look(uint64_t mac[STEER_MACS_MAX], const char *interface)
{
	struct ifreq request = {0};
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (ioctl(fd, SIOCGIFHWADDR, &request) == 0)
		mac[0] = word_of((const uint8_t *)request.ifr_hwaddr.sa_data);
	close(fd);
}

int steering_gone(const struct steering *s)
{
	char name[IF_NAMESIZE];
	for (unsigned i = 0; i < s->count; i++) {
		if (!if_indextoname(s->port[i].ifindex, name) && errno == ENXIO)
			return (int)s->port[i].index;
	}
	return -1;
}

// Upstream servers that workers ask through AF_XDP ports.

static_assert(2 * (int)HOPS_SERVERS_MAX <= (int)STEER_SERVERS_MAX);

void steering_bind(const struct steering *s, struct worker *w)
{
	static const _Atomic uint64_t never;
	for (unsigned i = 0; i < s->count; i++) {
		const struct steering_port *p = &s->port[i];
		struct worker_port *port = &w->port[p->index];
		port->steers_until_ms = p->spare_queues ? &never : &s->until_ms;
		port->steered = (struct asked_ports *)p->asked;
	}
}

static unsigned servers_of(const struct hops_reader *r, struct steer_server out[HOPS_SERVERS_MAX])
{
	unsigned count = 0;
	for (unsigned i = 0; i < HOPS_SLOTS && count < HOPS_SERVERS_MAX; i++) {
		if (!r->slot[i])
			continue;
		const struct hops_server *server = &r->server[r->slot[i] - 1];
		struct steer_server *s = &out[count++];
		*s = (struct steer_server){.port = rte_cpu_to_be_16(server->port)};
		xdp_address(&s->server, server->ip, server->ip_version);
		xdp_address(&s->local, server->ip_version == 4 ? r->source_v4 : r->source_v6,
			server->ip_version);
	}
	return count;
}

void steering_servers(void *steering, const struct hops_reader *hops)
{
	struct steering *s = steering;
	struct steer_server server[HOPS_SERVERS_MAX];
	const unsigned count = servers_of(hops, server);
	for (unsigned i = 0; i < s->count; i++) {
		struct steering_port *p = &s->port[i];
		int rc = p->open ? xdp_steer_servers(&p->maps, server, count) : 0;
		if (rc)
			log_warning("port %s: replies of upstream servers are lost, because the "
				    "steering program does not take the servers: %s; set "
				    "upstreams.via to kernel",
				p->interface, strerror(-rc));
	}
}

// False too if the kernel does not report it.
static bool are_stripped(const char *interface)
{
	struct ethtool_value flags = {.cmd = ETHTOOL_GFLAGS};
	struct ifreq request = {0};
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	request.ifr_data = (char *)&flags;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	bool known = ioctl(fd, SIOCETHTOOL, &request) == 0;
	close(fd);
	return known && (flags.data & ETH_FLAG_RXVLAN);
}

int steering_tags_check(const struct config_port *port, char *why, size_t cap)
{
	if (!port->has_vlans || !are_stripped(port->xdp))
		return 0;
	snprintf(why, cap,
		"port %s: the interface strips the VLAN tags that `vlans` goes by; turn that off: "
		"ethtool -K %s rxvlan off",
		port->xdp, port->xdp);
	return -EINVAL;
}

static bool has_group_vlans(const struct config *config)
{
	for (unsigned i = 0; i < config->group_count; i++)
		if (config->groups[i].vlan_count > 0)
			return true;
	return false;
}

void steering_tags_warn(const struct config *config)
{
	const struct config_dataplane *dp = &config->dataplane;
	bool matters = has_group_vlans(config);
	for (unsigned i = 0; matters && i < dp->port_count; i++) {
		const char *interface = dp->ports[i].xdp;
		if (interface && are_stripped(interface))
			log_warning("port %s: the interface strips VLAN tags, so no client is in a "
				    "group by its VLAN; turn that off: ethtool -K %s rxvlan off",
				interface, interface);
	}
}
