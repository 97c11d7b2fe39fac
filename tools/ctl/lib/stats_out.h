// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The output of `weirctl stats`, for people and for programs.

#include "json_doc.h"
#include "view.h"

#include <weir/stats_read.h>

// Reads the data plane's statistics of another box from its control API. The document is untrusted:
// impossible numbers are left out or 0, so that no unchecked number is used as an index.

// `root`: a reply of /dataplane. False: the box has no statistics; `why` says why. `*state` is set.
bool stats_remote(const struct json_node *root, enum process_state *state, struct stats_copy *out,
	char why[SHM_WHY_MAX]);

struct stats_rates { // rates per second between two views
	bool known;
	double seconds;
	double verdict[VERDICT_COUNT], counter[COUNTER_COUNT];
};

void stats_port_put(struct json_node *list, const struct stats_port_copy *p);
void stats_print(const struct view *v, const struct stats_rates *r);
// The document of --json. NULL: out of memory.
struct json_doc *stats_doc(const struct view *v, const struct stats_rates *r);
