// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The short form of a log_record (log_msg.h), on a log ring as MSG_LOG_HIT: one unit for the most
// common query: a hit from L0 for a name of class IN, over IPv4 and UDP.
//
// The fields that it leaves out have the values of such a hit: weight 1, no list, server or EDE. A
// reader of a ring first makes the long form of it, so that the rest of the code knows one form.

#include "log_msg.h"

#include <stddef.h>
#include <weir/attr.h>

enum { LOG_HIT_NAME_MAX = 32 };

struct log_hit {
	uint64_t time_us;
	uint8_t client[4];
	uint16_t client_port, qtype;
	uint16_t query_len, reply_len;
	uint16_t dataplane_us;
	uint8_t group; // group_in_image
	uint8_t rcode; // of the header
};
static_assert(sizeof(struct log_hit) + LOG_HIT_NAME_MAX == RING_UNIT - 8);

// The long form of the `len` bytes at `msg`, which may be anything; its length. -EBADMSG: too
// short, or too long.
ATTR_MUST_CHECK int log_hit_expand(const uint8_t *msg, size_t len, uint8_t out[LOG_MESSAGE_MAX]);
