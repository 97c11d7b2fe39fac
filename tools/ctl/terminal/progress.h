// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A line on stderr, from the first second on, that a command still waits, and how far it is:
//   watching the health  [########            ]  4 of 10 s
//   waiting for the control plane, 3 s
// Only where stderr is a terminal; it is erased at the end. On the only thread. One that begins
// within another, as a call of the API within the watch, draws over it.

#include <stdbool.h>
#include <stdint.h>
#include <weir/attr.h>

struct progress {
	const char *what;
	unsigned total_s; // 0: not known
	uint64_t begin_ms, shown_s;
};

// `what`, of constant text, outlives it.
struct progress progress_begin(const char *what, unsigned total_s) ATTR_NONNULL;
// Draws it, once a second at most; as often as the caller likes.
void progress_step(struct progress *p) ATTR_NONNULL;
void progress_end(struct progress *p) ATTR_NONNULL;

// Draws none any more: the screen belongs to screen.h.
void progress_off(void);
