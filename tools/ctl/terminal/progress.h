// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A line on stderr, from the first second on, that shows what a command waits for, and how long:
//   watching the health  [########            ]  4 of 10 s
//   waiting for the control plane, 3 s
// Drawn only if stderr is a terminal, and erased at the end. One thread. A line that begins within
// another one, such as a call of the API within the watch, replaces it.

#include <stdbool.h>
#include <stdint.h>
#include <weir/attr.h>

struct progress {
	const char *what;
	unsigned total_s; // 0: not known
	uint64_t begin_ms, shown_s;
};

// `what` must outlive the line.
struct progress progress_begin(const char *what, unsigned total_s) ATTR_NONNULL;
// Draws the line, once a second at most. Call as often as you like.
void progress_step(struct progress *p) ATTR_NONNULL;
void progress_end(struct progress *p) ATTR_NONNULL;

// Draws no line any more: the screen belongs to screen.h.
void progress_off(void);
