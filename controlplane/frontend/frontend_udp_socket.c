// SPDX-License-Identifier: BSD-3-Clause
#include "frontend_udp_socket.h"

#include "frontend_udp.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <unistd.h>

static int set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

// Without these the socket would be another one than is meant.
static int require(int fd, sa_family_t family)
{
	int rc = set(fd, IPPROTO_IP, IP_FREEBIND, 1);
	if (rc == 0 && family == AF_INET6)
		rc = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	return rc;
}

// And without these it is only a worse one.
static void prefer(int fd, sa_family_t family)
{
	(void)set(fd, SOL_SOCKET, SO_RCVBUF, FRONTEND_UDP_BUFFER);
	if (family == AF_INET)
		(void)set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT);
	else
		(void)set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT);
}

int frontend_udp_socket(const struct ip_address *address, uint16_t port)
{
	const struct socket_address at = {.ip = *address, .port = port};
	struct sockaddr_storage sa;
	socklen_t len;

	if (!socket_address_to_sockaddr(&at, &sa, &len))
		return -EINVAL;
	int fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	int rc = require(fd, sa.ss_family);
	prefer(fd, sa.ss_family);
	if (rc == 0 && bind(fd, (const struct sockaddr *)&sa, len) < 0)
		rc = -errno;
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

uint64_t frontend_udp_socket_drops(int fd)
{
	uint32_t info[SK_MEMINFO_VARS] = {0};
	socklen_t len = sizeof(info);
	return getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len) < 0 ? 0 : info[SK_MEMINFO_DROPS];
}
