// SPDX-License-Identifier: BSD-3-Clause

#include "steering.h"

#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

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
