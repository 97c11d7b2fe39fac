// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Over which version of IP authoritative servers can be asked. Resolver loop's thread.
//
// libunbound remembers servers one by one, so where packets of one version are lost it waits
// for each server of each zone again. This module counts what its queries over UDP meet. After
// PATH_SILENT queries in a row that nothing came back for it asks servers of that version itself:
// the first PATH_PEERS that were asked, which are those of the root, and the last ones that
// answered. Where none of these answers, and a server of the other version has answered meanwhile,
// the version is off; the recursor asks the same servers each PATH_PROBE_EACH_MS or more, and one
// answer turns it on again. Where packets are lost now and then that answer may come just as well
// as none before, and each change empties the library's caches: so a version that is left again
// waits twice as long as the time before, up to PATH_STEPS_MAX times, and each PATH_DECAY_MS that
// it was on takes one of these back. So names whose servers are silent, however many, turn nothing
// off. (Knot Resolver leaves IPv6 by such a count, too.) At most one version is off.

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct loop;
struct event;

enum {
	PATH_V4,
	PATH_V6,
	PATHS,

	PATH_SILENT = 4,
	PATH_PEERS = 4,
	PATH_PROBE_MS = 1500,       // the wait for answers
	PATH_DOUBT_EACH_MS = 5000,  // between two rounds while the version is on
	PATH_PROBE_EACH_MS = 30000, // while it is off, the first time
	PATH_STEPS_MAX = 5,         // doublings of that: 16 minutes
	PATH_DECAY_MS = 600000,
};

union path_peer {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6; // family 0 without one
};

struct path {
	bool is_off;
	unsigned steps;       // how often the wait is doubled the next time
	uint32_t each_ms;     // between two rounds while it is off
	uint64_t on_ms;       // when it was turned on again
	unsigned silent;      // queries since the last answer
	uint64_t since_ms;    // the first of these
	uint64_t answered_ms; // when the last answer came; 0 before the first
	union path_peer first[PATH_PEERS], good[PATH_PEERS];
	unsigned good_at; // the next place in `good`
	int fd;           // socket of a round of probes; -1 between rounds
	struct event *readable;
	uint16_t id;
	uint64_t end_ms;  // when the round ends
	uint64_t next_ms; // no round before
};

struct recursor_paths {
	struct loop *loop;
	struct path path[PATHS];
};

void recursor_paths_open(struct recursor_paths *p, struct loop *loop);
// Ends a round of probes, and forgets all.
void recursor_paths_close(struct recursor_paths *p);
// A query of the library ended: validator_library.h's library_peer_fn.
void recursor_paths_met(void *paths, const struct sockaddr *server, bool came);
// Begins and ends rounds of probes: each 100 ms.
void recursor_paths_beat(struct recursor_paths *p);
