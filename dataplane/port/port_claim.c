// SPDX-License-Identifier: BSD-3-Clause
#include "port_claim.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

// CLAIM_PROTOCOL: of the two that IEEE 802 leaves to local experiments, as no frame of a network.
enum { CLAIM_PROTOCOL = 0x88b5, TRIES = 10, TRY_NS = 100000000 };

// The index of a port's interface, which may have several names. 0: a TAP, or no interface.
static unsigned index_of(const struct config_port *port)
{
	static const char key[] = ",iface=", tap[] = "net_tap";
	char name[IF_NAMESIZE];
	const char *at = port->device ? strstr(port->device, key) : NULL;
	if (!at || strncmp(port->device, tap, strlen(tap)) == 0)
		return 0;
	at += strlen(key);
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(at, ","), at);
	return if_nametoindex(name);
}

// The socket stays open: it is the claim.
static int socket_make(unsigned index)
{
	const struct sockaddr_ll at = {.sll_family = AF_PACKET,
		.sll_protocol = htons(CLAIM_PROTOCOL),
		.sll_ifindex = (int)index};
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0); // 0: no frames until the bind
	if (fd < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)&at, sizeof(at)) == 0)
		return 0;
	int rc = -errno;
	close(fd);
	return rc;
}

// How many sockets claim the interface? -errno.
static int claims_of(unsigned index)
{
	char line[256];
	int count = 0;
	FILE *f = fopen("/proc/self/net/packet", "re");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		unsigned protocol, there;
		// sk RefCnt Type Proto Iface ...
		if (sscanf(line, "%*s %*u %*u %4x %9u", &protocol, &there) == 2)
			count += protocol == CLAIM_PROTOCOL && there == index;
	}
	(void)fclose(f);
	return count;
}

static int claim(const struct config_port *port, unsigned index, char why[PORT_CLAIM_WHY_MAX])
{
	const struct timespec pause = {.tv_nsec = TRY_NS};
	int rc = socket_make(index);
	if (rc == 0)
		rc = claims_of(index);
	for (unsigned tries = 1; rc > 1 && tries < TRIES; tries++) {
		(void)nanosleep(&pause, NULL);
		rc = claims_of(index);
	}
	if (rc > 1)
		snprintf(why, PORT_CLAIM_WHY_MAX,
			"%.100s: another data plane has this interface; stop that one, or name "
			"another interface in dataplane.ports",
			port->device);
	else if (rc < 0)
		snprintf(why, PORT_CLAIM_WHY_MAX, "%.100s: its interface cannot be claimed: %s",
			port->device, strerror(-rc));
	return rc > 1 ? -EBUSY : rc < 0 ? rc : 0;
}

int port_claim(const struct config_dataplane *dp, char why[PORT_CLAIM_WHY_MAX])
{
	int rc = 0;
	for (unsigned i = 0; rc == 0 && i < dp->port_count; i++) {
		const unsigned index = index_of(&dp->ports[i]);
		rc = index ? claim(&dp->ports[i], index, why) : 0;
	}
	return rc;
}
