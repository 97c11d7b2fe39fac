// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Requests to the kernel's rtnetlink, with one reply each. The kernel answers a request for one
// route, link or neighbour before send(2) returns, so there is no wait: a request takes some 5 to
// 10 us. No privilege is needed. One thread for each struct rtnl.
//
// A reply is checked up to the fixed part of its body; attributes are read only within the reply.

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

// A message of the kernel, which points into the buffer that was read.
struct rtnl_message {
	uint16_t type;
	const void *body; // has at least the bytes that the caller asked for
	const uint8_t *attributes;
	size_t attributes_len;
};

struct rtnl_reply {
	alignas(NLMSG_ALIGNTO) uint8_t bytes[RTNL_REPLY_MAX];
	struct rtnl_message message;
};

// `groups`: RTMGRP_* whose messages come by rtnl_read; 0: no group. -errno.
ATTR_MUST_CHECK int rtnl_open(struct rtnl *n, uint32_t groups);
void rtnl_close(struct rtnl *n); // may be not open

void rtnl_begin(struct rtnl_request *q, uint16_t type, const void *body, size_t len);
// Adds an attribute, for which there must be room.
void rtnl_put(struct rtnl_request *q, uint16_t attribute, const void *data, size_t len);
// Sends a request and reads the reply. `body_len`: the least length of the reply's body. -errno of
// the kernel; -EPROTO: the reply is malformed.
ATTR_MUST_CHECK int rtnl_ask(
	struct rtnl *n, struct rtnl_request *q, size_t body_len, struct rtnl_reply *out);

// Reads one datagram of the groups. Returns its length; 0: no datagram waits; -ENOBUFS: messages
// were lost; -errno.
ATTR_MUST_CHECK ssize_t rtnl_read(struct rtnl *n, struct rtnl_reply *out);
// Reads the message at *at of `len` bytes, and moves *at behind it. Its attributes still begin with
// the body (rtnl_body). False: there are no more messages, or this one is malformed.
bool rtnl_next(const struct rtnl_reply *r, size_t len, size_t *at, struct rtnl_message *out);
// Moves the begin of the attributes behind a body of `len` bytes. False: the message is shorter.
bool rtnl_body(struct rtnl_message *m, size_t len);

// The data of an attribute of at least `len` bytes. NULL: there is no such attribute.
const void *rtnl_attribute(const struct rtnl_message *m, uint16_t attribute, size_t len);
// The data of an attribute of any length, which *len gets. NULL: there is no such attribute.
const void *rtnl_attribute_any(const struct rtnl_message *m, uint16_t attribute, size_t *len);
// A message with the attributes within an attribute; `attributes` NULL: it is not there.
struct rtnl_message rtnl_nested(const struct rtnl_message *m, uint16_t attribute);
