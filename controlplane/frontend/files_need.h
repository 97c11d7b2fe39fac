// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// How many files (sockets, mostly) a configuration makes this process open. Each set of servers has
// connections and sockets opened ahead of its own: everyone's, a group's, a forwarded zone's; zones
// with the same servers share one; the bootstrap servers are one, of the first resolver. Any
// thread; costs a hash of each zone's servers.

#include <weir/config.h>

struct files_need {
	unsigned sets, servers; // servers: of all sets together
	uint64_t least;         // files with one socket for each question in flight
	uint64_t all;           // files that could be open at one time, less those of TCP's clients
};

void files_need(const struct config *c, struct files_need *out);

enum {
	FILES_TCP_MIN = 32,
	FILES_QUESTIONS_MIN = 16,
	FILES_QUESTIONS_DEFAULT = 4096, // the default of limits.inflight
};
// How many questions may be in flight where the process may open `limit` files and limits.inflight
// is the default: TCP's clients have half of what servers and the rest leave, or tcp.connections if
// that is less. At most limits.inflight; 0: the limit is too low for any question.
unsigned files_for_questions(const struct config *c, const struct files_need *need, uint64_t limit);
// Lowers limits.inflight to `fit`, and limits.zone_inflight and tcp.queries to a quarter of it at
// most.
void files_questions_lower(struct config *c, unsigned fit);
// How many connections of clients may be open where the process may open `limit` files: what the
// questions leave with a socket for each. 0: the configuration does not fit.
unsigned files_for_tcp(const struct files_need *need, uint64_t limit);
