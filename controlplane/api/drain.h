// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Taking the box out of service without loss. A drain first makes /ready 503, and then, after a
// grace in which balancers and routers send new clients elsewhere, ends the connections of clients
// (frontend_tcp.h):
//
//   DRAIN_OFF     serving
//   DRAIN_GRACE   /ready is 503; connections stay for the grace
//   DRAIN_PARTS   connections end once they have their answers, for DRAIN_PART_MS at most
//   DRAIN_CUTS    the others are closed, for DRAIN_CUT_MS at most
//   DRAIN_DONE    drained: no connection is left from before, or the time is over
//
// DRAIN_PART_MS is above the life of a question and what a client may take to read its answers
// (FRONTEND_LIFE_MS, CONN_DRAIN_MS). The service loop looks once a second. Pure. A zeroed struct is
// the initial state.

#include <stdbool.h>
#include <stdint.h>

enum {
	DRAIN_GRACE_S =
		10, // balancers ask every 1 to 5 s, and most believe the second or third 503
	DRAIN_GRACE_MAX_S = 3600,
	DRAIN_PART_MS = 20000,
	DRAIN_CUT_MS = 5000,
};

enum drain_state { DRAIN_OFF, DRAIN_GRACE, DRAIN_PARTS, DRAIN_CUTS, DRAIN_DONE };

struct drain {
	enum drain_state state;
	uint64_t until_ms; // when the state ends at the latest; no time of DRAIN_OFF and DRAIN_DONE
};

// Begins a drain. One in its grace gets this grace; one that has gone further stays as it is.
// `now_ms`: clock_mono_ms.
void drain_begin(struct drain *d, uint64_t now_ms, unsigned grace_s);
// `leaving`: connections that the drain has yet to end. True: the state has changed.
bool drain_see(struct drain *d, uint64_t now_ms, unsigned leaving);
const char *drain_name(const struct drain *d); // serving, draining, drained
uint64_t drain_grace_left_ms(const struct drain *d, uint64_t now_ms);
