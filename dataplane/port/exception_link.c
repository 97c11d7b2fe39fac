// SPDX-License-Identifier: BSD-3-Clause

#include "exception_link.h"

#include <stdalign.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { REPLY_MAX = 16384 };

struct rtnetlink_request exception_link_request(unsigned index, uint16_t type)
{
	struct rtnetlink_request r = {
		.header = {
			.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)), .nlmsg_type = type}};
	struct ifinfomsg *info = NLMSG_DATA(&r.header);
	*info = (struct ifinfomsg){.ifi_family = AF_UNSPEC, .ifi_index = (int)index};
	return r;
}

static bool is_tun(struct rtattr *info)
{
	struct rtattr *a = RTA_DATA(info);
	for (int left = (int)RTA_PAYLOAD(info); RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == IFLA_INFO_KIND)
			return strncmp(RTA_DATA(a), "tun", RTA_PAYLOAD(a)) == 0;
	return false;
}

// (Not const: the macros of rtnetlink.h cast that away, which clang refuses.)
static void link_take(struct nlmsghdr *h, struct exception_link *out)
{
	struct ifinfomsg *info = NLMSG_DATA(h);
	struct rtattr *a = IFLA_RTA(info);
	for (int left = (int)IFLA_PAYLOAD(h); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == IFLA_IFALIAS)
			snprintf(out->alias, sizeof(out->alias), "%.*s", (int)RTA_PAYLOAD(a),
				(const char *)RTA_DATA(a));
		else if (a->rta_type == IFLA_CARRIER && RTA_PAYLOAD(a) > 0)
			out->has_carrier = *(const uint8_t *)RTA_DATA(a);
		else if (a->rta_type == IFLA_LINKINFO)
			out->is_tun = is_tun(a);
	}
}

bool exception_link_read(int fd, unsigned index, uint32_t sequence, struct exception_link *out)
{
	static alignas(NLMSG_ALIGNTO) uint8_t reply[REPLY_MAX]; // start-up has one thread here
	struct rtnetlink_request r = exception_link_request(index, RTM_GETLINK);
	*out = (struct exception_link){0};
	r.header.nlmsg_flags = NLM_F_REQUEST;
	r.header.nlmsg_seq = sequence;
	if (send(fd, &r.header, r.header.nlmsg_len, 0) < 0)
		return false;
	ssize_t n = recv(fd, reply, sizeof(reply), 0);
	struct nlmsghdr *h = (void *)reply;
	if (n <= 0 || !NLMSG_OK(h, (unsigned)n) || h->nlmsg_type != RTM_NEWLINK
		|| h->nlmsg_seq != sequence)
		return false;
	link_take(h, out);
	return true;
}
