// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The cases of the packet path bench: the queries, the tables, the reference to compare with, and
// the goal.

#include "path_load.h"

// What alternates with the case in short slices, so that both see the same machine.
enum path_versus {
	VERSUS_ALONE,
	VERSUS_PLAIN,  // the same queries without what is special about them, from a second port
	VERSUS_MISSES, // hits alone, from a second port
	VERSUS_GROUPS, // the same frames without groups of clients
	VERSUS_ACCESS, // the same frames where anybody may ask
	VERSUS_HOPS,   // the same frames while no upstream server is asked by the port
	VERSUS_LIMITS, // the same frames of clients that no rate applies to
	VERSUS_LOG_SAMPLED, // the same frames while no query is logged; one of a hundred is
	VERSUS_LOG_EVERY,   // and each is
	VERSUS_WRITES,      // the same while nobody writes to L0
	VERSUS_SWAPS,       // the same while no rule image is published
	VERSUS_BUILDS,      // the same while none is built and published
};

struct path_case {
	const char *goal, *name;
	struct path_traffic traffic;
	bool rules;    // the block list is on
	bool nxdomain; // blocked names get NXDOMAIN, the default, in place of the null address
	enum path_versus versus;
	double dns_cycles, ratio; // to be reached (docs/explanation/performance.md); 0: nothing
	double alone_us; // the goal of one query at a time, over the reflector; 0: full bursts
};

// Those whose goal stands in `goals` (names between commas; NULL: all), in their order, from `at`
// on. NULL: no more.
const struct path_case *path_case_next(const char *goals, unsigned *at);
// The frames that the largest of them needs buffers for; 0: no such case.
uint32_t path_case_frames(const char *goals);

// Has it a second port with plain queries? These are what VERSUS_PLAIN and VERSUS_MISSES measure it
// against.
bool path_case_has_plain(const struct path_case *c);
struct path_traffic path_case_plain(const struct path_case *c);
