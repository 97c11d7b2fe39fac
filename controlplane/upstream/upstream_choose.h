// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Which server of a set gets the next query. Pure: it reads no clock and keeps nothing but the turn
// of round robin, which the caller owns. Cost: two passes over at most CONFIG_UPSTREAMS_MAX
// servers.
//
// The servers that this question was sent to least often come first, and of these the ones that
// nobody has reason to avoid. Among those that are left the policy decides:
//
// failover: the first one.
// latency: the shortest round trip, divided by the weight; one of less than
//   UPSTREAM_LATENCY_FLOOR_US counts as that, and of equal ones the first is taken. A server whose
//   round trip is not known comes before all others. One query in UPSTREAM_PROBE_SHARE goes to any
//   other one instead, so that weir notices a server that has become quick.
// least-outstanding: the fewest queries under way (and this one), divided by the weight; of equal
//   ones as by latency.
// round-robin: in turn, as often as the weights say, and spread out ("smooth").

#include <stdbool.h>
#include <stdint.h>
#include <weir/attr.h>
#include <weir/config.h>

enum { UPSTREAM_LATENCY_FLOOR_US = 1000, UPSTREAM_PROBE_SHARE = 32 };

// The state of a server when a question needs one.
struct upstream_known {
	bool eligible;       // the question may be sent to it
	bool avoid;          // it may be down
	bool down;           // it is: every other one first, however often that was asked
	unsigned sends;      // of this question to it
	unsigned weight;     // 1 to CONFIG_WEIGHT_MAX
	unsigned under_way;  // queries of all questions
	uint32_t latency_us; // 0: not known
};

struct upstream_turn {
	int32_t owed[CONFIG_UPSTREAMS_MAX]; // sum 0 while the list and the choice stay the same
};

// The place of one of the first `count`; -1: none is eligible. `draw`: a random number.
ATTR_MUST_CHECK int upstream_choose(enum upstream_policy policy, const struct upstream_known *known,
	unsigned count, struct upstream_turn *turn, uint16_t draw);
