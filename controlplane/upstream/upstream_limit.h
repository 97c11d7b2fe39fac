// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// How many queries a server takes on a TCP connection before it ends it (RFC 7766 6.2.1: clients
// have to expect that). Resolver loop's thread only.
//
// When a server ends a connection with queries on it, later connections get no more queries than it
// answered on that one; if it answered none, nothing is concluded. The first end may be a restart
// or an accident. So when the server answers all queries of a connection, the next connections get
// twice as many, and from UPSTREAM_LIMIT_USES on there is no limit. After UPSTREAM_LIMIT_STRIKES
// ends the limit is known: then one connection at a time is a probe with twice as many,
// UPSTREAM_LIMIT_PROBE_MS after the last end, later after twice as long, up to
// UPSTREAM_LIMIT_KEEP_MS. A probe that the server answers in full makes the limit an accident
// again. A limit that nothing has confirmed for UPSTREAM_LIMIT_KEEP_MS is forgotten.

#include <stdbool.h>
#include <stdint.h>

enum {
	UPSTREAM_LIMIT_STRIKES = 3,
	UPSTREAM_LIMIT_USES = 4096,
	UPSTREAM_LIMIT_PROBE_MS = 60000,
	UPSTREAM_LIMIT_KEEP_MS = 900000,
};

struct upstream_limit {
	unsigned queries; // on a connection; 0: no limit
	unsigned strikes;
	unsigned ends; // calls of upstream_limit_ended, ever
	uint32_t probe_wait_ms;
	uint64_t probe_ms, until_ms;
};

// What a connection may be for; 0: any number.
unsigned upstream_limit_now(const struct upstream_limit *l, uint64_t now_ms);
// Is the server known to end connections, after so many queries? Else 0.
unsigned upstream_limit_known(const struct upstream_limit *l, uint64_t now_ms);
// A connection for `uses` queries is opened. Is it the one for twice as many as are known?
bool upstream_limit_opened(struct upstream_limit *l, unsigned uses, uint64_t now_ms);
// The server ended one with queries on it, having answered so many. Is it known since this time?
// The caller leaves out connections that were opened before the last end: that is no second time.
bool upstream_limit_ended(struct upstream_limit *l, unsigned answered, uint64_t now_ms);
// It has answered so many on one that is for `uses`.
void upstream_limit_answered(struct upstream_limit *l, unsigned answered, unsigned uses);
