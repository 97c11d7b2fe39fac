// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The data plane's statistics of another box, from its control API. Any document may be given:
// numbers that cannot be are left out or 0, so that nothing of it is used as an index unchecked.

#include "json_doc.h"

#include <weir/stats_read.h>

// `root`: a reply of /dataplane. False: the box has no statistics; `why` says why. `*state` is set.
bool stats_remote(const struct json_node *root, enum process_state *state, struct stats_copy *out,
	char why[SHM_WHY_MAX]);
