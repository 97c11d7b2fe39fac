// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A flush: its names, its message to other boxes, and the rate limits.
//
// The message on the channel `<namespace>-meta:flush` is `1 <box> <kind> <name>`: the version, 16
// hex digits that a box draws at its start (its own messages come back and mean nothing), `name`,
// `below` or `all`, and the name in presentation form (`all`: the root). Any Redis client can write
// these. So weir accepts only messages that flush_write would have written, and the gate bounds
// their cost: FLUSH_NAMES_A_SECOND and FLUSH_NAMES_AN_HOUR single names, one `below` or `all` each
// FLUSH_WIDE_MS and FLUSH_WIDE_AN_HOUR of them. So a hostile Redis can empty a cache at times, but
// never keep it empty. Pure functions.

#include <weir/dns_name.h>

#define FLUSH_CHANNEL "flush"

enum flush_kind { FLUSH_NAME, FLUSH_BELOW, FLUSH_ALL };

struct flush {
	enum flush_kind kind;
	struct dns_name name; // FLUSH_ALL: the root
};

bool flush_fits(const struct flush *f, const struct dns_name *name);

enum { FLUSH_MESSAGE_MAX = DNS_NAME_TEXT_MAX + 32 };

// NUL-terminated; its length.
size_t flush_write(const struct flush *f, uint64_t box, char out[FLUSH_MESSAGE_MAX]);
ATTR_MUST_CHECK bool flush_parse(const char *text, size_t len, struct flush *out, uint64_t *box);

enum {
	FLUSH_NAMES_A_SECOND = 10,
	FLUSH_NAMES_AN_HOUR = 600,
	FLUSH_WIDE_MS = 2000,
	FLUSH_WIDE_AN_HOUR = 10,
};

// At most `most` in a span that begins with the first of them.
struct flush_span {
	uint64_t began_ms;
	unsigned count;
};

struct flush_gate { // starts zeroed
	struct flush_span names_second, names_hour, wide, wide_hour;
};

// True: it may pass, and is counted.
ATTR_MUST_CHECK bool flush_admit(struct flush_gate *g, enum flush_kind kind, uint64_t now_ms);
