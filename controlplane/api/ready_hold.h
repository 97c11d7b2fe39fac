// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Whether the anycast route to this box should be announced. A route that comes and goes moves all
// clients each time, so a short failure does not withdraw it, and a withdrawn route returns only
// after the box has answered for some time. The service loop reports once a second whether clients
// get answers.
//
// * The route is withdrawn once clients have got no answers for READY_LEAVE_MS.
// * It is announced again once clients have got answers for READY_BACK_MS in a row. Each withdrawal
//   within READY_CALM_MS of the previous one doubles that time, up to READY_BACK_MAX_MS. So a box
//   that fails again and again moves its clients less and less often: in the end at most twice in
//   five minutes.
// * The route begins withdrawn: a process that starts must answer for READY_BACK_MS, too. One that
//   starts after a process that announced the route has withdrawn it by that (ready_hold_resume).
//
// Pure. A zeroed struct is the initial state.

#include <stdbool.h>
#include <stdint.h>

enum {
	READY_LEAVE_MS = 3000,
	READY_BACK_MS = 30000,
	READY_BACK_MAX_MS = 300000,
	READY_CALM_MS = 600000,
};

struct ready_hold {
	bool is_announced;
	uint64_t bad_ms, good_ms; // since when clients get no answers, or get answers; else 0
	uint64_t left_ms;         // when the route was last withdrawn; 0: never
	uint64_t wait_ms;         // time with answers until it returns; 0: READY_BACK_MS
	uint64_t leaves;          // withdrawals
};

// Goes on after a process that ended in state `former`. One of an earlier boot counts as none.
// `now_ms`: clock_mono_ms, never 0.
void ready_hold_resume(struct ready_hold *h, uint64_t now_ms, const struct ready_hold *former);
void ready_hold_see(struct ready_hold *h, uint64_t now_ms, bool answers);
// Time until the route is announced, if clients keep getting answers; 0: it is announced.
uint64_t ready_hold_back_in_ms(const struct ready_hold *h, uint64_t now_ms);
