// SPDX-License-Identifier: BSD-3-Clause

#include "exception_addr.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { REQUEST_MAX = 256, REPLY_MAX = 4096 };

struct request {
	alignas(NLMSG_ALIGNTO) struct nlmsghdr header;
	uint8_t body[REQUEST_MAX];
};

static int open_socket(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0)
		return -errno;
	const struct timeval second = {.tv_sec = 1};
	const struct sockaddr_nl self = {.nl_family = AF_NETLINK};
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second) != 0
		|| bind(fd, (const struct sockaddr *)&self, sizeof self) != 0) {
		int rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

static void append_attribute(
	struct request *r, unsigned short type, const void *value, unsigned short len)
{
	struct rtattr *a = (void *)((uint8_t *)&r->header + NLMSG_ALIGN(r->header.nlmsg_len));
	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(len);
	memcpy(RTA_DATA(a), value, len);
	r->header.nlmsg_len = NLMSG_ALIGN(r->header.nlmsg_len) + RTA_ALIGN(a->rta_len);
}

// The acknowledgement of request `sequence`: 0 or the kernel's -errno.
static int receive_ack(int fd, uint32_t sequence)
{
	alignas(NLMSG_ALIGNTO) uint8_t buf[REPLY_MAX];
	for (unsigned tries = 0; tries < 16; tries++) {
		ssize_t n = recv(fd, buf, sizeof buf, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		struct nlmsghdr *h = (void *)buf;
		if ((size_t)n < NLMSG_LENGTH(sizeof(struct nlmsgerr))
			|| h->nlmsg_type != NLMSG_ERROR || h->nlmsg_seq != sequence)
			continue; // a late reply to an earlier request
		const struct nlmsgerr *e = NLMSG_DATA(h);
		return e->error;
	}
	return -ETIMEDOUT;
}

static int transact(int fd, struct request *r, uint32_t sequence)
{
	r->header.nlmsg_seq = sequence;
	r->header.nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	ssize_t n = sendto(fd, &r->header, r->header.nlmsg_len, 0, (const struct sockaddr *)&kernel,
		sizeof kernel);
	if (n < 0)
		return -errno;
	return receive_ack(fd, sequence);
}

static int set_up(int fd, unsigned index, uint32_t sequence)
{
	struct request r = {.header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
				    .nlmsg_type = RTM_NEWLINK}};
	struct ifinfomsg *info = NLMSG_DATA(&r.header);
	*info = (struct ifinfomsg){.ifi_family = AF_UNSPEC,
		.ifi_index = (int)index,
		.ifi_flags = IFF_UP,
		.ifi_change = IFF_UP};
	return transact(fd, &r, sequence);
}

static int add_address(int fd, unsigned index, const struct ip_address *a, uint32_t sequence)
{
	struct request r = {.header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifaddrmsg)),
				    .nlmsg_type = RTM_NEWADDR,
				    .nlmsg_flags = NLM_F_CREATE | NLM_F_REPLACE}};
	struct ifaddrmsg *info = NLMSG_DATA(&r.header);
	*info = (struct ifaddrmsg){.ifa_family = a->version == 4 ? AF_INET : AF_INET6,
		.ifa_prefixlen = a->prefix_len,
		.ifa_flags = a->version == 4 ? 0 : IFA_F_NODAD,
		.ifa_scope = RT_SCOPE_UNIVERSE,
		.ifa_index = index};
	unsigned short len = a->version == 4 ? 4 : 16;
	append_attribute(&r, IFA_LOCAL, a->bytes, len);
	append_attribute(&r, IFA_ADDRESS, a->bytes, len);
	return transact(fd, &r, sequence);
}

int exception_addr_apply(const char *interface, const struct ip_address *addresses, unsigned count,
	char why[EXCEPTION_WHY_MAX])
{
	unsigned index = if_nametoindex(interface);
	if (index == 0) {
		snprintf(why, EXCEPTION_WHY_MAX, "exception interface %s: no such interface",
			interface);
		return -ENODEV;
	}
	int fd = open_socket();
	if (fd < 0) {
		snprintf(why, EXCEPTION_WHY_MAX, "rtnetlink: %s", strerror(-fd));
		return fd;
	}
	uint32_t sequence = 1;
	int rc = set_up(fd, index, sequence++);
	if (rc)
		snprintf(why, EXCEPTION_WHY_MAX, "exception interface %s: cannot bring it up: %s",
			interface, strerror(-rc));
	for (unsigned i = 0; rc == 0 && i < count; i++) {
		rc = add_address(fd, index, &addresses[i], sequence++);
		if (rc) {
			char text[SOCKET_ADDRESS_TEXT_MAX];
			snprintf(why, EXCEPTION_WHY_MAX, "exception interface %s: address %s: %s",
				interface, ip_address_text(&addresses[i], true, text),
				strerror(-rc));
		}
	}
	close(fd);
	return rc;
}
