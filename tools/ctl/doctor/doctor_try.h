// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Checks of the machine for a configuration that is not in use yet, as if weir did not run.

#include "lib/ctl.h"

// Runs the named checks, the last name NULL, and prints each finding that is not `ok`, then the
// counts. The number of findings that are `wrong`.
ATTR_MUST_CHECK unsigned doctor_try(
	const struct ctl *c, const char *config_path, const char *const names[]);
