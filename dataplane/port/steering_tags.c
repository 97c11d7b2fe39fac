// SPDX-License-Identifier: BSD-3-Clause

#include "steering.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/log.h>

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
