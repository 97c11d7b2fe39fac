// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A copy of what a rule image is made from, as one configuration names it: its allow entries, its
// deny entries, its lists, then what groups bring (group_sources.h). Independent of the
// configuration's life.

#include "group_sources.h"
#include "rebinding_source.h"
#include "rule_compile.h"

#include <weir/config.h>

struct rules_sources {
	unsigned count;
	struct rule_source source[RULE_SOURCES_MAX];
	char *text; // titles and paths
	struct group_sources *groups;
	struct rebinding_source *rebinding; // NULL: it is off
};

ATTR_MUST_CHECK int rules_sources_new(const struct config *config, struct rules_sources **out);
void rules_sources_free(struct rules_sources *s); // NULL is fine
