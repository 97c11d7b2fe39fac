// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The handler of SIGPROF, which stays from its first use on: a signal that comes late must find it.

struct stacks;

enum { PROFILE_SIGNAL = 27 }; // SIGPROF

int profile_signal_start(void); // -errno
// Samples of timers go there; NULL: nowhere, and no handler uses the former table any more.
void profile_signal_to(struct stacks *t);
