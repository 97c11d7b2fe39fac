// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// How `weirctl stats` looks, for people and for programs.

#include "view.h"

struct stats_rates { // per second, between two views
	bool known;
	double seconds;
	double verdict[VERDICT_COUNT], counter[COUNTER_COUNT];
};

void stats_port_put(struct json_node *list, const struct stats_port_copy *p);
void stats_print(const struct view *v, const struct stats_rates *r);
// What --json prints. NULL: out of memory.
struct json_doc *stats_doc(const struct view *v, const struct stats_rates *r);
