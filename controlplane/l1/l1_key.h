// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Names of answers in Redis: `<namespace>:<name>:<type>:<class>[:do][:cd]:v<16 hex digits>`.
//
// The namespace is redis.namespace: boxes of another namespace neither read nor delete these keys.
// The name is in lower-case presentation form without the final dot (RFC 1035 5.1: a `.` or `\`
// inside a label as \. and \\, bytes outside 0x21..0x7e as \DDD), the root is "."; `:` `*` `?` `[`
// `]` `{` and `}` are written \DDD as well, so that no name can look like the end of one, like a
// pattern of SCAN or like a hash tag. Type and class are numbers. `v` is the hash of the view's
// definition (views.h), which names the servers that gave the answer; view numbers are a box's own.
// Keys that come back (from the index, from SCAN) are hostile: l1_key_parse takes only what
// l1_key_write would have written. Pure functions.

#include <weir/l0_table.h>

enum { L1_KEY_MAX = 1100 };

struct l1_key {
	uint16_t len;
	char text[L1_KEY_MAX]; // NUL-terminated
};

// `space`: the namespace, CONFIG_NAMESPACE_MAX bytes at most. `view_hash` 0: no `:v`.
void l1_key_write(
	const char *space, const struct l0_key *key, uint64_t view_hash, struct l1_key *out);

struct l1_key_parts {
	struct dns_name name;
	uint16_t qtype, qclass;
	uint8_t flags; // L0_KEY_*
	uint64_t view_hash;
};
ATTR_MUST_CHECK bool l1_key_parse(
	const char *space, const char *text, size_t len, struct l1_key_parts *out);

// A pattern for SCAN that matches the keys of `name`, and with `below` of every name under it. It
// matches some other keys too: the caller parses and compares each key that SCAN returns.
void l1_key_pattern(const char *space, const struct dns_name *name, bool below, struct l1_key *out);
