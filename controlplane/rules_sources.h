// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A copy of what a rule image is made from, as one configuration names it: its allow entries, its
// deny entries, its lists, in this order. Independent of the configuration's life.

#include "rule_compile.h"

#include <weir/config.h>

// Names of one class.
struct rules_entries {
	enum rule_class rule_class;
	unsigned count;
	const struct dns_name *name;
};

struct rules_sources {
	unsigned count;
	struct rule_source source[RULE_SOURCES_MAX];
	char *text;             // titles and paths
	struct dns_name *names; // of both entries
	struct rules_entries allow, deny;
};

ATTR_MUST_CHECK int rules_sources_new(const struct config *config, struct rules_sources **out);
void rules_sources_free(struct rules_sources *s); // NULL is fine
