// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A value of L1 (l1.h) as HMGET brings it: its fields, and whether they fit each other. Pure.
//
// A value is not trusted: a number has ten digits at most, the message a length between a header
// and L1_MESSAGE_MAX, and the TTLs keep the limits of weir's own answers. dns_answer_read checks
// the message.

#include "redis.h"
#include "ttl_rules.h"

enum {
	L1_FIELDS = 7,
	L1_MESSAGE_MAX = 17000, // an answer of L0_ANSWER_MAX behind header and question
	L1_SKEW_MAX_S = 5,
};
extern const char *const l1_field_names[L1_FIELDS]; // for HMGET, in this order

enum l1_found { L1_HIT, L1_MISS, L1_BAD, L1_AWAY, L1_LATE };

// A value as read, not past hard expiry. soft_left_s: 0 or negative when the value is stale.
struct l1_value {
	const uint8_t *msg;
	uint16_t len;
	uint32_t age_s, stored_ttl_s, auth_ttl_s, hits;
	int32_t soft_left_s;
};

// `reply`: to HMGET of l1_field_names; `out`->msg points into it. `now_s`: wall time. L1_MISS also
// for an expired value by `rules`, or one from the future; `out` is set only with L1_HIT.
enum l1_found l1_value_read(const struct redis_reply *reply, const struct ttl_rules *rules,
	uint64_t now_s, struct l1_value *out);
