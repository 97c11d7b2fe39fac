// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Refuses the operator's own patterns that do not compile, or take long to, where they are entered.
// Those of lists are counted where they are compiled (answer_patterns.h). Some 20 us for each, some
// ms for one with bounded repeats, and seconds for all of them at most: not on a loop.

#include <weir/config_tools.h>

// Adds an error for each of the entries of everyone and of groups.
void pattern_prove(const struct config *c, const struct config_proof *proof);
// Proves patterns without those that `running` has as well, anywhere: a change is not to blame for
// them. But where it has new ones all together must compile in time. `texts` are those of `c`.
void pattern_prove_change(const struct config *running, const struct config *c,
	const struct config_bundle *texts, struct config_errors *errors);
