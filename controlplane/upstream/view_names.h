// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What a view says of names: which are asked of other servers, which are asked for under another
// name. Part of a view's definition where a group has some of its own. Resolver loop's thread.

#include "forward.h"
#include "rewrite.h"

struct view_names {
	struct forward_table *zones;    // NULL: none
	struct rewrite_table *rewrites; // NULL: none
};

// -EBUSY (forward.h), -ENOMEM; then *out is untouched.
ATTR_MUST_CHECK int view_names_make(
	struct forwards *f, const struct config_group *group, struct view_names *out);
ATTR_MUST_CHECK int view_names_make_everyone(
	struct forwards *f, const struct config *config, struct view_names *out);
void view_names_end(struct view_names *n); // leaves it empty

// Of a group: has it any of its own, and a hash of them whatever their order. 0: none.
uint64_t view_names_hash(const struct config_group *group);
uint64_t view_names_everyone_hash(const struct config *config); // likewise of everyone's
