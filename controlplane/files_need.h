// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// How many files (sockets, mostly) a configuration makes this process open. Each set of servers has
// connections and sockets opened ahead of its own: everyone's, a group's, a forwarded zone's; zones
// with the same servers share one. Any thread; costs a hash of each zone's servers.

#include <weir/config.h>

struct files_need {
	unsigned sets, servers; // servers: of all sets together
	uint64_t least;         // with one socket for each question in flight
	uint64_t all;           // that could be open at one time, but for TCP's clients
};

void files_need(const struct config *c, struct files_need *out);

enum { FILES_TCP_MIN = 32 };
// How many connections of clients may be open where the process may open `limit` files:
// what the questions leave with a socket for each. 0: the configuration does not fit.
unsigned files_for_tcp(const struct files_need *need, uint64_t limit);
