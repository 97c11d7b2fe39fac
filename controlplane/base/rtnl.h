// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Questions to the kernel's rtnetlink: one request, one reply, at once. The kernel answers a
// request for one route, link or neighbour before send(2) returns, so nothing is waited for: some 5
// to 10 us each. No privilege is needed. One thread for each struct rtnl.
//
// A reply is checked as far as the fixed part of its body, and attributes are read within it.

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <weir/attr.h>

enum { RTNL_REQUEST_MAX = 112, RTNL_REPLY_MAX = 16384 };

struct rtnl {
	int fd; // -1: not open
	uint32_t sequence;
};

struct rtnl_request {
	struct nlmsghdr head;
	uint8_t rest[RTNL_REQUEST_MAX];
};

// A message of the kernel; it points into the buffer that was read.
struct rtnl_message {
	uint16_t type;
	const void *body; // of at least as many bytes as was asked for
	const uint8_t *attributes;
	size_t attributes_len;
};

struct rtnl_reply {
	alignas(NLMSG_ALIGNTO) uint8_t bytes[RTNL_REPLY_MAX];
	struct rtnl_message message;
};

// `groups`: RTMGRP_* whose messages come by rtnl_read; 0: none. -errno.
ATTR_MUST_CHECK int rtnl_open(struct rtnl *n, uint32_t groups);
void rtnl_close(struct rtnl *n); // one that is not open is fine

void rtnl_begin(struct rtnl_request *q, uint16_t type, const void *body, size_t len);
// There must be room for it.
void rtnl_put(struct rtnl_request *q, uint16_t attribute, const void *data, size_t len);
// `body_len`: the least that a reply's body has. 0; -errno as the kernel says; -EPROTO: another
// shape.
ATTR_MUST_CHECK int rtnl_ask(
	struct rtnl *n, struct rtnl_request *q, size_t body_len, struct rtnl_reply *out);

// Reads one datagram of the groups. Returns its bytes; 0: none waits; -ENOBUFS: messages were lost;
// -errno.
ATTR_MUST_CHECK ssize_t rtnl_read(struct rtnl *n, struct rtnl_reply *out);
// The message at *at of `len` bytes, and *at moved behind it; its body is still before its
// attributes. False: no further, or malformed.
bool rtnl_next(const struct rtnl_reply *r, size_t len, size_t *at, struct rtnl_message *out);
// From now on the attributes begin behind a body of `len` bytes. False: it is shorter.
bool rtnl_body(struct rtnl_message *m, size_t len);

// The data of an attribute of at least `len` bytes. NULL: there is none.
const void *rtnl_attribute(const struct rtnl_message *m, uint16_t attribute, size_t len);
// The same with its length in *len.
const void *rtnl_attribute_any(const struct rtnl_message *m, uint16_t attribute, size_t *len);
// Attributes within an attribute. NULL data: it is not there.
struct rtnl_message rtnl_nested(const struct rtnl_message *m, uint16_t attribute);
