// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Why this box is not ready, or impaired: what /ready says, and what alarms of the events are made
// of. A reason has an id and what it is about, which stay the same while its text may change. Over
// API_REASONS_MAX are left out. One object, on the service loop.

#include <stdbool.h>
#include <weir/attr.h>

enum { API_REASONS_MAX = 32, API_REASON_TEXT_MAX = 1024, API_REASON_ABOUT_MAX = 64 };

// The one for memory that grows, of which each alarm has a text of its own too.
#define API_REASON_MEMORY "memory_grows"
// The one of a process that starts or stops.
#define API_REASON_STATE "serving"

struct api_reason {
	const char *id; // a constant
	char about[API_REASON_ABOUT_MAX];
	char text[API_REASON_TEXT_MAX];
	bool is_blocking; // clients get no answers; else something is impaired
};

struct api_reasons {
	unsigned count, blocking;
	struct api_reason one[API_REASONS_MAX];
};

// Something is impaired. `about`: which one of several; "": there is one.
void api_reason_add(struct api_reasons *r, const char *id, const char *about, const char *fmt, ...)
	ATTR_PRINTF(4, 5);
// Clients get no answers.
void api_reason_block(struct api_reasons *r, const char *id, const char *text);
