// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Sources of rules besides the lists: the allow and the deny entries for everyone, first and
// second, also without any; then what groups bring: allow and deny entries of a group, services
// that some group or schedule blocks, domains of schedules, hosts of search engines that some group
// uses safely; these only where there are any. A copy, independent of the configuration's life: it
// is read on a helper thread.
//
// Entries with query types or a reply (key `entries`) are rules of other kinds of the same source.
// Entries and domains of schedules are the operator's own words (RULE_CLASS_OPERATOR_*: the nearest
// decides), services are lists like any other (RULE_CLASS_BLOCK: an allow rule beats them).

#include "lists/list_rule.h"

#include <weir/rule_image.h>

struct group_source;

struct group_sources {
	unsigned count;
	struct group_source *one;
};

// -ENOMEM.
ATTR_MUST_CHECK int group_sources_new(const struct config *c, struct group_sources **out);
void group_sources_free(struct group_sources *s); // NULL is fine

const char *group_source_title(const struct group_sources *s, unsigned i);
bool group_source_allows(const struct group_sources *s, unsigned i);  // the names of allow entries
bool group_source_answers(const struct group_sources *s, unsigned i); // safe search
void *group_source_arg(const struct group_sources *s, unsigned i);
// Hands the rules of the source whose arg that is to `take`, in the same order each time; stops
// with what that returns if it is not 0.
int group_source_rules(void *arg, list_rule_take take, void *take_arg);
