// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Refuses the operator's own patterns that no library reads, where they are entered. Those of lists
// are counted where they are compiled (answer_patterns.h). A parse of each, some 20 us; any thread.

#include <weir/config_tools.h>

// Adds an error for each of the entries of everyone and of groups.
void pattern_prove(const struct config *c, const struct config_proof *proof);
// The same, without those that `running` has as well: a change is not to blame for them. `texts`
// are those of `c`.
void pattern_prove_change(const struct config *running, const struct config *c,
	const struct config_bundle *texts, struct config_errors *errors);
