// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A copy of what a rule image is made from, as one configuration names it: its allow entries, its
// deny entries, its lists, in this order. Independent of the configuration's life.

#include "rule_compile.h"

#include <weir/config.h>

struct rules_sources {
	unsigned count;
	struct rule_source source[RULE_LISTS_MAX];
	char *text;               // titles and paths
	struct dns_name *entries; // of both
};

ATTR_MUST_CHECK int rules_sources_new(const struct config *config, struct rules_sources **out);
void rules_sources_free(struct rules_sources *s); // NULL is fine
