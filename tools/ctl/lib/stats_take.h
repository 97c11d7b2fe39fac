// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The data plane's statistics and its state: of another box from its control API; of this one as
// the data plane writes them, and where this user may not read that (it is no member of
// runtime.stats_group), as the control plane tells them.

#include "ctl.h"

#include <weir/stats_read.h>

// From the control API. False: there are none; `why` says why. `*state` is set.
bool stats_ask(const struct ctl *c, enum process_state *state, struct stats_copy *out,
	char why[SHM_WHY_MAX]);
// `asks`: where this user may not read the file, stats_ask does it. Else as stats_ask.
bool stats_take(const struct ctl *c, bool asks, enum process_state *state, struct stats_copy *out,
	char why[SHM_WHY_MAX]);
