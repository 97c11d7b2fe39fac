// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// All errors of a configuration file, for `weirctl config check`: config_load() reports the first
// error and the number of the others.

#include "attr.h"
#include "config.h"

enum { CONFIG_ERRORS_MAX = 16 };

struct config_errors {
	unsigned count; // also of those beyond the last text
	char text[CONFIG_ERRORS_MAX][CONFIG_WHY_MAX];
};

// As config_load(). Errors that only follow from another one are not reported, such as a group's
// use of a list that is refused itself.
ATTR_MUST_CHECK int config_load_all(
	const char *path, struct config **out, struct config_errors *errors);

// Would a start accept the file? Does not open files of secrets, which a reader of the
// configuration may often not read. Returns and fills in the same as config_load().
ATTR_MUST_CHECK int config_file_check(const char *path, char why[CONFIG_WHY_MAX]);
