// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Requests to the kernel's rtnetlink, one at a time, each with its acknowledgement: one second at
// most. Kernel headers only. Start-up only.

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdint.h>
#include <weir/attr.h>

enum { RTNETLINK_REQUEST_MAX = 256 };

struct rtnetlink_request {
	alignas(NLMSG_ALIGNTO) struct nlmsghdr header;
	uint8_t body[RTNETLINK_REQUEST_MAX];
};

// The socket, or -errno.
ATTR_MUST_CHECK int rtnetlink_open(void);
// There must be room for it.
void rtnetlink_append(
	struct rtnetlink_request *r, unsigned short type, const void *value, unsigned short len);
// Sends `r`; 0 or the kernel's -errno. `sequence`: another one for each request of a socket.
ATTR_MUST_CHECK int rtnetlink_transact(int fd, struct rtnetlink_request *r, uint32_t sequence);
