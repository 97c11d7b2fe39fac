// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Titles of the sources of rules that a configuration's groups make, and back: the meaning of a
// list of the image by its title. The same names give the same titles, and so the same list
// numbers. No list of `blocking.lists` has such a title, no group a colon in its name
// (config_lists.c, config_groups.c). Any thread; no state.

#include <weir/config.h>
#include <weir/rule_image.h>

enum list_of {
	LIST_OF_ENTRIES,  // allow and deny entries, and rebinding protection, for everyone
	LIST_OF_LIST,     // `index` of blocking.lists
	LIST_OF_SERVICE,  // enum service
	LIST_OF_SAFE,     // enum safe_engine
	LIST_OF_GROUP,    // entries of `group`
	LIST_OF_SCHEDULE, // domains of schedule `index` of `group`
	LIST_OF_OTHER,    // none of these: local data, or what the configuration has no more
};

struct list_owner {
	uint8_t role;  // enum list_of
	uint8_t group; // 0: everyone
	uint16_t index;
};

#define GROUP_TITLE_ALLOW "allow entries" // for everyone
#define GROUP_TITLE_DENY  "deny entries"
void group_title_service(char out[RULE_TITLE_MAX], unsigned service);
void group_title_safe(char out[RULE_TITLE_MAX], unsigned engine);
void group_title_entries(char out[RULE_TITLE_MAX], const struct config_group *group, bool allow);
// `group` NULL: a schedule of everyone.
void group_title_schedule(char out[RULE_TITLE_MAX], const struct config_group *group,
	const struct config_schedule *schedule);

struct list_owner group_title_owner(const struct config *c, const char *title);
