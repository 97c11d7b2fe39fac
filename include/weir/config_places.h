// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Where a running weir keeps its socket and its regions, read from a file that may be wrong.
//
// weirctl must reach the service also while somebody edits its configuration. So config_places_find
// reads the section `runtime` on its own, whatever the rest of the file says, and line by line when
// that section is wrong itself. A process that serves must use config_load(). Any thread.

#include "attr.h"
#include "config.h"

enum { CONFIG_PLACE_MAX = 201 };

struct config_places {
	char directory[CONFIG_PLACE_MAX];
	char hugepages[CONFIG_PLACE_MAX];
};

// A value that is missing or cannot be used has its default. -errno, with `out` all defaults and
// `why` filled in, when the file cannot be read.
ATTR_MUST_CHECK int config_places_find(
	const char *path, struct config_places *out, char why[CONFIG_WHY_MAX]);
