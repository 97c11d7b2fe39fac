// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A copy of the sources of a rule image from one configuration: its allow entries, its deny
// entries, its lists, then those of groups (group_sources.h), then local data. Independent of the
// configuration's life.
//
// A fetched list is read from its stored file (list_files.h). One that was never fetched has no
// file; a build leaves it out (rules_sources_leave_out) unless it had names before.

#include "policy/group_sources.h"
#include "policy/local_data.h"
#include "policy/rebinding_source.h"
#include "rule_image/rule_compile.h"

#include <weir/config.h>

struct rules_sources {
	uint64_t configuration; // number of the one that these are of (rules_job.h)
	unsigned count;
	struct rule_source source[RULE_SOURCES_MAX];
	const char *url[RULE_SOURCES_MAX]; // where a list is fetched from; else NULL
	const char *state_directory;
	char *text; // titles, paths, and what is above
	struct group_sources *groups;
	struct rebinding_source *rebinding; // NULL: it is off
	struct local_data *local;
};

ATTR_MUST_CHECK int rules_sources_new(const struct config *config, struct rules_sources **out);
// Fetched lists without a file or a copy become sources without rules, except those that had names:
// a missing file of these is an error.
void rules_sources_leave_out(struct rules_sources *s, const bool had_names[RULE_SOURCES_MAX]);
void rules_sources_free(struct rules_sources *s); // NULL is fine
