// SPDX-License-Identifier: BSD-3-Clause

#include "rtnetlink.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { REPLY_MAX = 4096 };

int rtnetlink_open(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0)
		return -errno;
	const struct timeval second = {.tv_sec = 1};
	const struct sockaddr_nl self = {.nl_family = AF_NETLINK};
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second)) != 0
		|| bind(fd, (const struct sockaddr *)&self, sizeof(self)) != 0) {
		int rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

void rtnetlink_append(
	struct rtnetlink_request *r, unsigned short type, const void *value, unsigned short len)
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
		ssize_t n = recv(fd, buf, sizeof(buf), 0);
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

int rtnetlink_transact(int fd, struct rtnetlink_request *r, uint32_t sequence)
{
	r->header.nlmsg_seq = sequence;
	r->header.nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	ssize_t n = sendto(fd, &r->header, r->header.nlmsg_len, 0, (const struct sockaddr *)&kernel,
		sizeof(kernel));
	if (n < 0)
		return -errno;
	return receive_ack(fd, sequence);
}
