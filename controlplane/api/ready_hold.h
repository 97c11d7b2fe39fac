// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Should the anycast route to this box be announced? A route that comes and goes moves all clients
// each time, so short trouble does not withdraw it, and a box that was withdrawn has to be well for
// some time. The service loop sees once a second whether clients get answers.
//
// * It is withdrawn once clients have got no answers for READY_LEAVE_MS.
// * It is announced again once they have got answers for READY_BACK_MS in a row. Each withdrawal
//   within READY_CALM_MS of the one before doubles that time, up to READY_BACK_MAX_MS. So a box
//   whose trouble comes and goes moves its clients at most twice in five minutes.
// * It begins withdrawn: a process that starts has to be well for READY_BACK_MS too.
//
// Pure. Zeros are the begin.

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
	uint64_t bad_ms, good_ms; // since when it is so; 0: it is not
	uint64_t left_ms;         // of the last withdrawal; 0: none
	uint64_t wait_ms;         // of this withdrawal; 0: READY_BACK_MS
	uint64_t leaves;          // withdrawals
};

// `now_ms`: clock_mono_ms, never 0.
void ready_hold_see(struct ready_hold *h, uint64_t now_ms, bool answers);
// Until it is announced if all stays well; 0: it is announced.
uint64_t ready_hold_back_in_ms(const struct ready_hold *h, uint64_t now_ms);
