// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// All that is wrong with a configuration file, for `weirctl config check`: config_load() tells the
// first of it and how many more there are.

#include "attr.h"
#include "config.h"

enum { CONFIG_ERRORS_MAX = 16 };

struct config_errors {
	unsigned count; // also of those beyond the last text
	char text[CONFIG_ERRORS_MAX][CONFIG_WHY_MAX];
};

// As config_load(). What is only wrong because something else is (a group of a list that is refused
// itself) is not told.
ATTR_MUST_CHECK int config_load_all(
	const char *path, struct config **out, struct config_errors *errors);
