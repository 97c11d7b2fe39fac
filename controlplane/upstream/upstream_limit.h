// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// How many queries a server takes on a TCP connection before it ends it (RFC 7766 6.2.1: clients
// have to expect that). Resolver loop's thread only.
//
// A server that ended a connection with queries on it is given no more on each than it answered
// then (that it answered none says nothing). Once may be a restart or an accident, so each
// connection that it answers to the last query lets the next ones be for twice as many;
// UPSTREAM_LIMIT_USES of them are no limit. From UPSTREAM_LIMIT_STRIKES times on it is known to do
// so: only one connection is then for twice as many, UPSTREAM_LIMIT_PROBE_MS after the last time,
// later after twice as long, up to UPSTREAM_LIMIT_KEEP_MS. If the server takes them after all it is
// as if that had been an accident. What nothing has confirmed for UPSTREAM_LIMIT_KEEP_MS is
// forgotten.

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
	unsigned ends; // that it was told of, ever
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
// Not to be told of one that was opened before the last end: that is no second time.
bool upstream_limit_ended(struct upstream_limit *l, unsigned answered, uint64_t now_ms);
// It has answered so many on one that is for `uses`.
void upstream_limit_answered(struct upstream_limit *l, unsigned answered, unsigned uses);
