// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// How `weirctl stats` looks, for people and for programs.

#include "json_doc.h"
#include "view.h"

#include <weir/stats_read.h>

// The data plane's statistics of another box, from its control API. Any document may be given:
// numbers that cannot be are left out or 0, so that nothing of it is used as an index unchecked.

// `root`: a reply of /dataplane. False: the box has no statistics; `why` says why. `*state` is set.
bool stats_remote(const struct json_node *root, enum process_state *state, struct stats_copy *out,
	char why[SHM_WHY_MAX]);

struct stats_rates { // per second, between two views
	bool known;
	double seconds;
	double verdict[VERDICT_COUNT], counter[COUNTER_COUNT];
};

void stats_port_put(struct json_node *list, const struct stats_port_copy *p);
void stats_print(const struct view *v, const struct stats_rates *r);
// What --json prints. NULL: out of memory.
struct json_doc *stats_doc(const struct view *v, const struct stats_rates *r);
