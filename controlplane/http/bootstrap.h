// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Resolves the hosts of list URLs by servers that the configuration names by address. It uses
// neither weir's own answers nor the system's resolver, which may be this weir: so weir never waits
// for itself.
//
// One question at a time by UDP, with random id, port and, the first time, letter case; a reply
// counts only if it comes from the server asked and repeats all of that (RFC 5452), and goes
// through the same reader as the resolver's (dns_answer.h). A truncated reply, an error and silence
// mean the next server. At most BOOTSTRAP_ROUNDS times each server, BOOTSTRAP_WAIT_MS for each.
// Blocks: for helper threads. About 140 KiB while it runs.

#include <stdatomic.h>
#include <weir/config.h>

enum {
	BOOTSTRAP_ADDRESSES_MAX = 16, // addresses of one host; more are left out
	BOOTSTRAP_ROUNDS = 2,
	BOOTSTRAP_WAIT_MS = 1500,
	BOOTSTRAP_WHY_MAX = 128,
};

struct bootstrap {
	unsigned server_count;
	struct socket_address server[CONFIG_UPSTREAMS_MAX];
	uint64_t deadline_ms;     // clock_mono_ms
	const _Atomic bool *stop; // stops the attempt when it turns true; may be NULL
};

// The servers for that: `blocking.update.bootstrap`, or else the servers of `upstreams` in clear
// text that have an address, or else `upstreams.bootstrap`. How many there are.
unsigned bootstrap_servers(const struct config *c, struct socket_address out[CONFIG_UPSTREAMS_MAX]);

// IPv4 addresses, then IPv6 addresses. 0: *count is at least 1; -ENOENT: the host has none;
// -ETIMEDOUT: no server answered in time; -ECANCELED; -EINVAL: no host name; -ENOMEM. `why` with
// all of these.
ATTR_MUST_CHECK int bootstrap_resolve(const struct bootstrap *b, const char *host,
	struct ip_address out[BOOTSTRAP_ADDRESSES_MAX], unsigned *count,
	char why[BOOTSTRAP_WHY_MAX]);
