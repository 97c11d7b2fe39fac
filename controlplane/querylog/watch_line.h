// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// One query as a line of JSON: the worker's part (watch_msg.h), the control plane's (trace.h), or
// both. Pure; the caller has checked the data of the other process.

#include "trace.h"

#include <weir/watch_msg.h>

struct querylog_hiding;
struct upstream_book;

struct watch_line {
	char text[24576];
	size_t len;
};

struct watch_parts {
	const struct watch_msg *worker; // NULL: none
	const uint8_t *behind;          // its name and frame
	const struct trace *control;    // NULL: none
	const struct watch_msg *answer; // that it left, of WATCH_ANSWER; NULL: none
	bool is_alone;                  // the other part should have come
};

// `wall_us` makes wall time of its times; `hiding` a client's text of its address; `book` names
// servers, NULL: they have no names.
void watch_line_make(struct watch_line *l, int64_t wall_us, const struct watch_parts *parts,
	const struct querylog_hiding *hiding, const struct upstream_book *book);
