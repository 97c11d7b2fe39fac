// SPDX-License-Identifier: BSD-3-Clause
#include "group_titles.h"

#include "rebinding_source.h"
#include "rule_image/rule_build.h"

#include <stdio.h>
#include <string.h>

#define SERVICE_PREFIX  "service "
#define SAFE_PREFIX     "safe search "
#define GROUP_PREFIX    "group "
#define SCHEDULE_PREFIX "schedule "

static_assert(sizeof(GROUP_PREFIX ": ") - 1 + CONFIG_GROUP_NAME_MAX + CONFIG_SCHEDULE_NAME_MAX
	      < RULE_TITLE_MAX);

void group_title_service(char out[RULE_TITLE_MAX], unsigned service)
{
	snprintf(out, RULE_TITLE_MAX, SERVICE_PREFIX "%s", service_word(service));
}

void group_title_safe(char out[RULE_TITLE_MAX], unsigned engine)
{
	snprintf(out, RULE_TITLE_MAX, SAFE_PREFIX "%s", safe_engine_word(engine));
}

void group_title_entries(char out[RULE_TITLE_MAX], const struct config_group *group, bool allow)
{
	snprintf(out, RULE_TITLE_MAX, GROUP_PREFIX "%s: %s", group->name, allow ? "allow" : "deny");
}

void group_title_schedule(char out[RULE_TITLE_MAX], const struct config_group *group,
	const struct config_schedule *schedule)
{
	if (group)
		snprintf(out, RULE_TITLE_MAX, GROUP_PREFIX "%s: %s", group->name, schedule->name);
	else
		snprintf(out, RULE_TITLE_MAX, SCHEDULE_PREFIX "%s", schedule->name);
}

// What follows the prefix, or NULL.
static const char *behind(const char *title, const char *prefix)
{
	size_t len = strlen(prefix);
	return strncmp(title, prefix, len) == 0 ? title + len : NULL;
}

static const struct list_owner other = {.role = LIST_OF_OTHER};

static struct list_owner schedule_owner(
	const struct config_schedules *s, unsigned group, const char *name)
{
	for (unsigned i = 0; i < s->count; i++)
		if (strcmp(s->one[i].name, name) == 0)
			return (struct list_owner){LIST_OF_SCHEDULE, (uint8_t)group, (uint16_t)i};
	return other;
}

static struct list_owner group_owner(const struct config *c, const char *rest)
{
	size_t len = strcspn(rest, ":");
	if (strncmp(rest + len, ": ", 2) != 0)
		return other;
	const char *what = rest + len + 2;
	for (unsigned i = 0; i < c->group_count; i++) {
		const struct config_group *g = &c->groups[i];
		if (strlen(g->name) != len || memcmp(g->name, rest, len) != 0)
			continue;
		if (strcmp(what, "allow") == 0 || strcmp(what, "deny") == 0)
			return (struct list_owner){LIST_OF_GROUP, (uint8_t)(i + 1), 0};
		return schedule_owner(&g->filter.schedules, i + 1, what);
	}
	return other;
}

static struct list_owner list_owner(const struct config *c, const char *title)
{
	for (unsigned i = 0; i < c->blocking.list_count; i++) {
		char made[RULE_TITLE_MAX];
		rule_title_make(made, c->blocking.lists[i].name);
		if (strcmp(made, title) == 0)
			return (struct list_owner){LIST_OF_LIST, 0, (uint16_t)i};
	}
	return other;
}

struct list_owner group_title_owner(const struct config *c, const char *title)
{
	const char *rest = behind(title, SERVICE_PREFIX);
	if (rest) {
		int service = service_find(rest);
		return service < 0 ? other
				   : (struct list_owner){LIST_OF_SERVICE, 0, (uint16_t)service};
	}
	rest = behind(title, SAFE_PREFIX);
	for (unsigned i = 0; rest && i < SAFE_ENGINE_COUNT; i++)
		if (strcmp(rest, safe_engine_word(i)) == 0)
			return (struct list_owner){LIST_OF_SAFE, 0, (uint16_t)i};
	rest = behind(title, SCHEDULE_PREFIX);
	if (rest)
		return schedule_owner(&c->blocking.filter.schedules, 0, rest);
	rest = behind(title, GROUP_PREFIX);
	if (rest)
		return group_owner(c, rest);
	if (strcmp(title, GROUP_TITLE_ALLOW) == 0 || strcmp(title, GROUP_TITLE_DENY) == 0
		|| strcmp(title, REBINDING_TITLE) == 0)
		return (struct list_owner){LIST_OF_ENTRIES, 0, 0};
	return list_owner(c, title);
}
