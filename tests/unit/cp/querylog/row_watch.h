// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The query log of the resolver and the frontend of resolver_rig.h, for tests that look at rows:
// what the last one was.

#include "controlplane/querylog/querylog.h"

struct row_watch_row {
	char qname[256], verdict[32], list[64], upstream[64];
	unsigned tier, transport, validation;
	int ede;       // QUERYLOG_NO_EDE: none
	uint64_t rows; // so many came, this one included
};

// The rig's box runs; `lists` are the titles of lists by number.
void row_watch_start(const char *const *lists, unsigned count);
void row_watch_stop(void); // before rig_teardown
// The last row once `rows` have come in all; fails the test when they do not.
struct row_watch_row row_watch_await(uint64_t rows);
