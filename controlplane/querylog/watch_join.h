// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Joins the parts of a watched miss: the worker's message, the control plane's steps, and the
// sending of the answer. The first part waits here for the others, because the log rings are read
// at their own pace and a question lives up to 5 s.
//
// WATCH_JOIN_MAX of them; one more evicts the query that has waited longest, which is shown
// incomplete. A query that is not complete in time is shown so too.

#include "trace.h"

#include <weir/watch_msg.h>

enum {
	WATCH_JOIN_MAX = 128,
	WATCH_FOR_CONTROL_MS = 6500, // a question's life, and more
	WATCH_FOR_WORKER_MS = 2000,
};

struct watch_half {
	uint32_t number; // 0: free
	uint16_t worker;
	bool has_worker, has_control, has_answer;
	uint64_t until_ms, order; // order: of all that ever waited
	struct watch_msg msg;
	uint8_t name[255];
	struct trace trace;
	struct watch_msg answer;
};

struct watch_join {
	struct watch_half half[WATCH_JOIN_MAX];
	uint64_t count; // that ever waited
};

// That of the number, or a place for it: a free one (number 0), or else that of another one, which
// the caller shows first. The caller fills it in; its
// `order` is the next `count`.
struct watch_half *watch_join_place(struct watch_join *j, uint32_t number, uint16_t worker);
// One whose time is over, at `now_ms` UINT64_MAX any; NULL: none.
struct watch_half *watch_join_due(struct watch_join *j, uint64_t now_ms);
unsigned watch_join_used(const struct watch_join *j);
