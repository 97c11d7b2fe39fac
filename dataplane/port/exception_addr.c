// SPDX-License-Identifier: BSD-3-Clause

#include "exception_addr.h"

#include "rtnetlink.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int set_up(int fd, unsigned index, uint32_t sequence)
{
	struct rtnetlink_request r = {
		.header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
			.nlmsg_type = RTM_NEWLINK}};
	struct ifinfomsg *info = NLMSG_DATA(&r.header);
	*info = (struct ifinfomsg){.ifi_family = AF_UNSPEC,
		.ifi_index = (int)index,
		.ifi_flags = IFF_UP,
		.ifi_change = IFF_UP};
	return rtnetlink_transact(fd, &r, sequence);
}

static int add_address(int fd, unsigned index, const struct ip_address *a, uint32_t sequence)
{
	struct rtnetlink_request r = {
		.header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifaddrmsg)),
			.nlmsg_type = RTM_NEWADDR,
			.nlmsg_flags = NLM_F_CREATE | NLM_F_REPLACE}};
	struct ifaddrmsg *info = NLMSG_DATA(&r.header);
	*info = (struct ifaddrmsg){.ifa_family = a->version == 4 ? AF_INET : AF_INET6,
		.ifa_prefixlen = a->prefix_len,
		.ifa_flags = a->version == 4 ? 0 : IFA_F_NODAD,
		.ifa_scope = RT_SCOPE_UNIVERSE,
		.ifa_index = index};
	unsigned short len = a->version == 4 ? 4 : 16;
	rtnetlink_append(&r, IFA_LOCAL, a->bytes, len);
	rtnetlink_append(&r, IFA_ADDRESS, a->bytes, len);
	return rtnetlink_transact(fd, &r, sequence);
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
	int fd = rtnetlink_open();
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
