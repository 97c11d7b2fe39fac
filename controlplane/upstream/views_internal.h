// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What views.c and view_hash.c share: definitions of views, and their hashes.

#include "views.h"

// What a view is made of.
struct view_definition {
	const struct config_upstreams *everyone; // servers of a group that has none of its own
	const struct config_group *group;        // NULL: everyone
	const struct config_safe_search *safe;   // NULL: not a safe view
};

uint64_t view_definition_hash(const struct view_definition *d); // never 0
// Of the safe view of a group. False: the group has no safe search.
bool view_safe_definition(
	const struct config *c, const struct config_group *group, struct view_definition *out);
