// SPDX-License-Identifier: BSD-3-Clause
#include "group_sources.h"

#include "group_masks.h"
#include "safe_search.h"
#include "services_table.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/heap_site.h>

enum source_what { SOURCE_ENTRIES, SOURCE_SERVICE, SOURCE_SAFE };

struct group_source {
	char title[RULE_TITLE_MAX];
	enum source_what what;
	unsigned id; // number of the service or engine
	enum rule_class rule_class;
	struct config_entries entries;
	unsigned special_count; // entries with query types, a reply or an inverted pattern
	struct config_dated_entry *special;
	struct rule_types types; // every name is denied for these
};

static void source_free(struct group_source *one)
{
	for (unsigned i = 0; i < one->entries.pattern_count; i++)
		FREE_AND_NULL(one->entries.patterns[i]);
	FREE_AND_NULL(one->entries.patterns);
	FREE_AND_NULL(one->entries.names);
	for (unsigned i = 0; i < one->special_count; i++)
		FREE_AND_NULL(one->special[i].pattern);
	FREE_AND_NULL(one->special);
	*one = (struct group_source){0};
}

static int entries_copy(struct config_entries *to, const struct config_entries *from)
{
	to->names = heap_calloc(from->count + 1, sizeof(*to->names));
	to->patterns = heap_calloc(from->pattern_count + 1, sizeof(*to->patterns));
	if (!to->names || !to->patterns)
		return -ENOMEM;
	if (from->count)
		memcpy(to->names, from->names, from->count * sizeof(*to->names));
	to->count = from->count;
	for (; to->pattern_count < from->pattern_count; to->pattern_count++) {
		char *copy = heap_strdup(from->patterns[to->pattern_count]);
		if (!copy)
			return -ENOMEM;
		to->patterns[to->pattern_count] = copy;
	}
	return 0;
}

static int entries_add(
	struct group_source *one, enum rule_class rule_class, const struct config_entries *entries)
{
	one->what = SOURCE_ENTRIES;
	one->rule_class = rule_class;
	return entries_copy(&one->entries, entries);
}

static bool is_special_of(const struct config_dated_entry *e, unsigned group, bool allow)
{
	return config_dated_is_special(e) && e->group == group && e->allow == allow;
}

// Copies those of a group; 0: of everyone.
static int special_add(
	struct group_source *one, const struct config_dated *d, unsigned group, bool allow)
{
	unsigned room = 0;
	for (unsigned i = 0; i < d->count; i++)
		room += is_special_of(&d->entries[i], group, allow);
	one->special = room ? heap_calloc(room, sizeof(*one->special)) : NULL;
	if (room && !one->special)
		return -ENOMEM;
	for (unsigned i = 0; i < d->count; i++) {
		if (!is_special_of(&d->entries[i], group, allow))
			continue;
		struct config_dated_entry *e = &one->special[one->special_count++];
		*e = d->entries[i];
		e->why = NULL;
		if (e->pattern && !(e->pattern = heap_strdup(e->pattern)))
			return -ENOMEM;
	}
	return 0;
}

static int schedules_add(struct group_sources *s, const struct config_group *group,
	const struct config_schedules *schedules)
{
	for (unsigned i = 0; i < schedules->count; i++) {
		const struct config_schedule *schedule = &schedules->one[i];
		const struct config_entries domains = {
			.count = schedule->domain_count, .names = schedule->domains};
		if (schedule->domain_count == 0)
			continue;
		struct group_source *one = &s->one[s->count++];
		group_title_schedule(one->title, group, schedule);
		int err = entries_add(one, RULE_CLASS_OPERATOR_DENY, &domains);
		if (err)
			return err;
	}
	return 0;
}

static int group_add(struct group_sources *s, const struct config *c, unsigned group)
{
	const struct config_group *g = &c->groups[group - 1];
	const struct config_entries *entries[2] = {&g->deny, &g->allow};
	for (unsigned allow = 0; allow < 2; allow++) {
		struct group_source *one = &s->one[s->count++];
		group_title_entries(one->title, g, allow);
		int err = entries_add(one,
			allow ? RULE_CLASS_OPERATOR_ALLOW : RULE_CLASS_OPERATOR_DENY,
			entries[allow]);
		if (err == 0)
			err = special_add(one, &c->dated, group, allow);
		if (err)
			return err;
		if (one->entries.count + one->entries.pattern_count + one->special_count == 0)
			source_free(&s->one[--s->count]);
	}
	return schedules_add(s, g, &g->filter.schedules);
}

static void used_by(const struct config *c, const struct config_group *g,
	struct service_set *services, struct config_safe_search *safe)
{
	const struct service_set *own = config_group_services(c, g);
	const struct config_schedules *schedules = config_group_schedules(c, g);
	const struct config_safe_search *search = config_group_safe_search(c, g);
	for (unsigned w = 0; w < ARRAY_LEN(services->bits); w++) {
		services->bits[w] |= own->bits[w];
		for (unsigned i = 0; i < schedules->count; i++)
			services->bits[w] |= schedules->one[i].services.bits[w];
	}
	for (unsigned i = 0; i < SAFE_ENGINE_COUNT; i++)
		safe->level[i] |= search->level[i];
}

static void common_add(struct group_sources *s, const struct config *c)
{
	struct service_set services = {{0}};
	struct config_safe_search safe = {{0}};
	used_by(c, NULL, &services, &safe);
	for (unsigned i = 0; i < c->group_count; i++)
		used_by(c, &c->groups[i], &services, &safe);
	for (unsigned i = 0; i < SERVICE_COUNT; i++) {
		if (!service_set_has(&services, i))
			continue;
		struct group_source *one = &s->one[s->count++];
		*one = (struct group_source){.what = SOURCE_SERVICE, .id = i};
		group_title_service(one->title, i);
	}
	for (unsigned i = 0; i < SAFE_ENGINE_COUNT; i++) {
		if (!safe.level[i])
			continue;
		struct group_source *one = &s->one[s->count++];
		*one = (struct group_source){.what = SOURCE_SAFE, .id = i};
		group_title_safe(one->title, i);
	}
}

static int everyone_add(struct group_sources *s, const struct config *c)
{
	const struct config_blocking *b = &c->blocking;
	const struct config_entries allow = {
		b->allow_count, b->allow_pattern_count, b->allow, b->allow_patterns};
	const struct config_entries deny = {
		b->deny_count, b->deny_pattern_count, b->deny, b->deny_patterns};
	struct group_source *one = &s->one[s->count++];
	snprintf(one->title, sizeof(one->title), GROUP_TITLE_ALLOW);
	int err = entries_add(one, RULE_CLASS_OPERATOR_ALLOW, &allow);
	if (err == 0)
		err = special_add(one, &c->dated, 0, true);
	if (err)
		return err;
	one = &s->one[s->count++];
	snprintf(one->title, sizeof(one->title), GROUP_TITLE_DENY);
	one->types = b->types;
	err = entries_add(one, RULE_CLASS_OPERATOR_DENY, &deny);
	return err ? err : special_add(one, &c->dated, 0, false);
}

static int fill(struct group_sources *s, const struct config *c)
{
	size_t most = 2 + SERVICE_COUNT + SAFE_ENGINE_COUNT + c->blocking.filter.schedules.count;
	for (unsigned i = 0; i < c->group_count; i++)
		most += 2 + c->groups[i].filter.schedules.count;
	s->one = heap_calloc(most, sizeof(*s->one));
	if (!s->one)
		return -ENOMEM;
	int err = everyone_add(s, c);
	for (unsigned i = 0; err == 0 && i < c->group_count; i++)
		err = group_add(s, c, i + 1);
	if (err == 0)
		err = schedules_add(s, NULL, &c->blocking.filter.schedules);
	common_add(s, c);
	return err;
}

int group_sources_new(const struct config *c, struct group_sources **out)
{
	struct group_sources *s = heap_calloc(1, sizeof(*s));
	int err = s ? fill(s, c) : -ENOMEM;
	if (err) {
		group_sources_free(s);
		return err;
	}
	*out = s;
	return 0;
}

void group_sources_free(struct group_sources *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < s->count; i++)
		source_free(&s->one[i]);
	FREE_AND_NULL(s->one);
	heap_free(s);
}

const char *group_source_title(const struct group_sources *s, unsigned i)
{
	return s->one[i].title;
}

bool group_source_allows(const struct group_sources *s, unsigned i)
{
	return s->one[i].what == SOURCE_ENTRIES
	       && s->one[i].rule_class == RULE_CLASS_OPERATOR_ALLOW;
}

bool group_source_answers(const struct group_sources *s, unsigned i)
{
	return s->one[i].what == SOURCE_SAFE;
}

void *group_source_arg(const struct group_sources *s, unsigned i)
{
	return &s->one[i];
}

static struct list_rule rule_of(enum rule_class rule_class)
{
	return (struct list_rule){
		.kind = {.rule_class = (uint8_t)rule_class, .covers = RULE_COVERS_ALL}};
}

static int special_rules(const struct group_source *s, list_rule_take take, void *take_arg)
{
	int rc = 0;
	for (unsigned i = 0; rc == 0 && i < s->special_count; i++) {
		const struct config_dated_entry *e = &s->special[i];
		struct list_rule rule = rule_of(s->rule_class);
		rule.kind.types = e->types;
		rule.kind.reply = e->reply;
		rule.what = e->pattern ? LIST_RULE_PATTERN : LIST_RULE_NAME;
		rule.name = e->pattern ? NULL : &e->name;
		rule.pattern = e->pattern;
		rule.pattern_len = e->pattern ? strlen(e->pattern) : 0;
		rule.inverts = e->inverts;
		rc = take(take_arg, &rule);
	}
	return rc;
}

static int entries_rules(const struct group_source *s, list_rule_take take, void *take_arg)
{
	struct list_rule rule = rule_of(s->rule_class);
	int rc = 0;
	rule.what = LIST_RULE_NAME;
	for (unsigned i = 0; rc == 0 && i < s->entries.count; i++) {
		rule.name = &s->entries.names[i];
		rc = take(take_arg, &rule);
	}
	rule.what = LIST_RULE_PATTERN;
	rule.name = NULL;
	for (unsigned i = 0; rc == 0 && i < s->entries.pattern_count; i++) {
		rule.pattern = s->entries.patterns[i];
		rule.pattern_len = strlen(rule.pattern);
		rc = take(take_arg, &rule);
	}
	if (rc == 0 && s->types.count) {
		rule.kind.types = s->types;
		rule.pattern = RULE_EVERY_NAME;
		rule.pattern_len = strlen(rule.pattern);
		rc = take(take_arg, &rule);
	}
	return rc ? rc : special_rules(s, take, take_arg);
}

struct taker {
	list_rule_take take;
	void *arg;
};

static int service_rule(void *arg, const struct dns_name *name)
{
	const struct taker *t = arg;
	struct list_rule rule = rule_of(RULE_CLASS_BLOCK);
	rule.what = LIST_RULE_NAME;
	rule.name = name;
	return t->take(t->arg, &rule);
}

int group_source_rules(void *arg, list_rule_take take, void *take_arg)
{
	const struct group_source *s = arg;
	struct taker t = {take, take_arg};
	if (s->what == SOURCE_SERVICE)
		return services_table_each(s->id, service_rule, &t);
	if (s->what == SOURCE_SAFE)
		return safe_search_rules((enum safe_engine)s->id, take, take_arg);
	return entries_rules(s, take, take_arg);
}
