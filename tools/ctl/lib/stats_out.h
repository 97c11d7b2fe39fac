// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// How `weirctl stats` looks, for people and for programs.

#include "view.h"

struct stats_rates { // per second, between two views
	bool known;
	double seconds;
	double verdict[VERDICT_COUNT], counter[COUNTER_COUNT];
};

// Share of the questions that L0 could have answered and did; negative: there were none.
double stats_hit_ratio(const double verdict[VERDICT_COUNT]);
// All questions: verdicts that are of a DNS message with a question, or what passes for one.
double stats_queries(const double verdict[VERDICT_COUNT]);

void stats_port_put(struct json_node *list, const struct stats_port_copy *p);
void stats_print(const struct view *v, const struct stats_rates *r);
// What --json prints. NULL: out of memory.
struct json_doc *stats_doc(const struct view *v, const struct stats_rates *r);
