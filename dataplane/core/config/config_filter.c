// SPDX-License-Identifier: BSD-3-Clause

// The keys that `blocking` and groups share: services, safe_search, schedules, family_time.

#include "config_filter.h"

#include "config_entries.h"
#include "config_file.h"
#include "config_keys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/heap_site.h>
#include <weir/text.h>

#define FAMILY_TIME  "family time"
#define ZONES_FOLDER "/usr/share/zoneinfo/"

enum { DAYS_ALL = 0x7f, DAYS_WEEK = 0x1f, DAYS_WEEKEND = 0x60 };

static const struct {
	const char *word;
	uint8_t days;
} day_words[] = {
	{"mon", 1 << 0},
	{"tue", 1 << 1},
	{"wed", 1 << 2},
	{"thu", 1 << 3},
	{"fri", 1 << 4},
	{"sat", 1 << 5},
	{"sun", 1 << 6},
	{"weekdays", DAYS_WEEK},
	{"weekend", DAYS_WEEKEND},
};

static int days_apply(const struct config_doc *doc, const char *base,
	const struct config_node *node, uint8_t *out)
{
	char list[CONFIG_PATH_MAX], key[CONFIG_PATH_MAX];
	int rc = 0;
	config_sub_key(list, base, "days");
	*out = config_node_count(node, "days") == 0 ? DAYS_ALL : 0;
	for (unsigned i = 0; i < config_node_count(node, "days"); i++) {
		size_t k = 0;
		while (k < ARRAY_LEN(day_words)
			&& strcmp(day_words[k].word, config_node_item_text(node, "days", i)) != 0)
			k++;
		config_item_key(key, list, i, NULL);
		if (k == ARRAY_LEN(day_words)) {
			rc = config_refuse(doc, key,
				"must be one of: mon, tue, wed, thu, fri, sat, sun, weekdays, "
				"weekend");
			continue;
		}
		if (*out & day_words[k].days)
			rc = config_refuse(doc, key, "given twice");
		*out |= day_words[k].days;
	}
	return rc;
}

static int time_parse(
	const struct config_doc *doc, const char *key, const char *text, uint16_t *out)
{
	static const char digits[] = "0123456789";
	if (!text)
		return config_refuse(doc, key, "has no value");
	if (strlen(text) == 5 && text[2] == ':' && strspn(text, digits) == 2
		&& strspn(text + 3, digits) == 2) {
		unsigned hour = (unsigned)(text[0] - '0') * 10 + (unsigned)(text[1] - '0');
		unsigned minute = (unsigned)(text[3] - '0') * 10 + (unsigned)(text[4] - '0');
		if (minute < 60 && (hour < 24 || (hour == 24 && minute == 0))) {
			*out = (uint16_t)(hour * 60 + minute);
			return 0;
		}
	}
	return config_refuse(doc, key, "must be a time of the day, 00:00 to 24:00");
}

static int window_apply(const struct config_doc *doc, const char *base,
	const struct config_node *node, struct config_schedule *s)
{
	char key[CONFIG_PATH_MAX];
	int days = days_apply(doc, base, node, &s->days);
	int rc = time_parse(doc, config_sub_key(key, base, "from"), config_node_text(node, "from"),
		&s->from_min);
	if (rc == 0 && s->from_min == CONFIG_DAY_MIN)
		rc = config_refuse(doc, key, "a day ends at 24:00: nothing begins then");
	rc = config_worse(rc, time_parse(doc, config_sub_key(key, base, "to"),
				      config_node_text(node, "to"), &s->to_min));
	if (rc == 0 && s->to_min == s->from_min)
		rc = config_refuse(
			doc, key, "is the same as `from` (a whole day is 00:00 to 24:00)");
	if (s->to_min == 0)
		s->to_min = CONFIG_DAY_MIN;
	return config_worse(days, rc);
}

// Reads the zone of a file, unless another schedule has it.
static int zone_take(const struct config_doc *doc, const char *key, const char *path,
	struct config_time_zones *zones, const struct time_zone **out)
{
	char bytes[TIME_ZONE_FILE_MAX + 1];
	for (unsigned i = 0; i < zones->count; i++) {
		if (strcmp(zones->one[i].path, path) == 0) {
			*out = zones->one[i].zone;
			return 0;
		}
	}
	if (zones->count == CONFIG_TIME_ZONES_MAX)
		return config_refuse(doc, key, "all schedules have %d time zones at most",
			CONFIG_TIME_ZONES_MAX);
	const int len = config_file_read(path, bytes, TIME_ZONE_FILE_MAX);
	if (len < 0)
		return config_refuse(
			doc, key, "%s cannot be read: %s (package tzdata)", path, strerror(-len));
	struct config_time_zone *one = &zones->one[zones->count];
	const int rc = time_zone_parse(bytes, (size_t)len, &one->zone);
	if (rc < 0)
		return rc == -EBADMSG ? config_refuse(doc, key, "%s has no time zone", path) : rc;
	zones->count++;
	*out = one->zone;
	one->path = heap_strdup(path);
	return one->path ? 0 : -ENOMEM;
}

static int zone_apply(const struct config_doc *doc, const char *base,
	const struct config_node *node, struct config_time_zones *zones, struct config_schedule *s)
{
	char key[CONFIG_PATH_MAX], path[sizeof(ZONES_FOLDER) + CONFIG_TIME_ZONE_MAX];
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_+-/"; // no dot, so no path out of the folder
	if (!config_node_text(node, "time_zone"))
		return 0;
	int rc = config_text_take(doc, config_sub_key(key, base, "time_zone"),
		config_node_text(node, "time_zone"), CONFIG_TIME_ZONE_MAX, &s->time_zone);
	if (rc < 0)
		return rc;
	if (s->time_zone[0] == '/' || s->time_zone[strspn(s->time_zone, letters)])
		return config_refuse(doc, key, "must be a name such as Europe/Berlin");
	snprintf(path, sizeof(path), ZONES_FOLDER "%s", s->time_zone);
	return zone_take(doc, key, path, zones, &s->zone);
}

static int flags_apply(const struct config_doc *doc, const char *base,
	const struct config_node *node, struct config_schedule *s)
{
	char key[CONFIG_PATH_MAX];
	int rc = config_bool_of(doc, base, node, "pause", &s->pause);
	rc = config_worse(rc, config_bool_of(doc, base, node, "block_all", &s->block_all));
	if (rc == 0 && s->pause && s->block_all)
		rc = config_refuse(doc, config_sub_key(key, base, "block_all"),
			"does not go together with `pause`");
	return rc;
}

static const char *service_near(const char *text)
{
	struct text_near near;
	text_near_begin(&near, text);
	for (unsigned i = 0; i < SERVICE_COUNT; i++)
		text_near_try(&near, service_word(i));
	return near.best;
}

// Adds the bits of the named services to `out`.
static int services_apply(const struct config_doc *doc, const char *list,
	const struct config_node *items, struct service_set *out)
{
	int rc = 0;
	for (unsigned i = 0; i < config_list_count(items); i++) {
		char key[CONFIG_PATH_MAX], shown[80];
		const char *text = items->child[i]->text;
		int service = service_find(text);
		config_item_key(key, list, i, NULL);
		if (service < 0) {
			rc = config_refuse_near(doc, key, service_near(text),
				"no service is called \"%s\" (`weirctl services` names them)",
				text_escape(text, shown, sizeof(shown)));
			continue;
		}
		if (service_set_has(out, (unsigned)service))
			rc = config_refuse(doc, key, "given twice");
		service_set_add(out, (unsigned)service);
	}
	return rc;
}

static int effects_apply(const struct config_doc *doc, const char *base,
	const struct config_node *node, const struct config_blocking *blocking,
	struct config_schedule *s)
{
	char key[CONFIG_PATH_MAX];
	int rc = flags_apply(doc, base, node, s);
	rc = config_worse(rc, services_apply(doc, config_sub_key(key, base, "services"),
				      config_node_list(node, "services"), &s->services));
	rc = config_worse(
		rc, config_list_names_apply(doc, config_sub_key(key, base, "lists"),
			    config_node_list(node, "lists"), blocking, &s->lists, &s->list_count));
	rc = config_worse(
		rc, config_names_apply(doc, config_sub_key(key, base, "domains"),
			    config_node_list(node, "domains"), &s->domains, &s->domain_count));
	if (rc == 0 && !s->pause && !s->block_all && config_node_count(node, "services") == 0
		&& config_node_count(node, "lists") == 0 && !s->domain_count)
		rc = config_refuse(doc, base,
			"does nothing: give it `services`, `domains`, `lists`, `block_all` or "
			"`pause`");
	return rc;
}

// A title in the rule image ends in a schedule's name, or in "allow" or "deny" for the group's
// entries, so no schedule may have these names.
static int name_apply(const struct config_doc *doc, const char *base, const char *text,
	const struct config_schedules *before, char **out)
{
	char key[CONFIG_PATH_MAX];
	config_sub_key(key, base, "name");
	int rc = config_text_take(doc, key, text, CONFIG_SCHEDULE_NAME_MAX, out);
	if (rc < 0)
		return rc;
	if (strcmp(text, "allow") == 0 || strcmp(text, "deny") == 0)
		return config_refuse(doc, key, "is a name with a meaning of its own");
	for (unsigned i = 0; i + 1 < before->count; i++)
		if (before->one[i].name && strcmp(before->one[i].name, text) == 0)
			return config_refuse(doc, key, "the name \"%s\" is given twice", text);
	return 0;
}

static int schedule_apply(const struct config_doc *doc, const char *base, const char *name,
	const struct config_node *node, struct config *c, struct config_schedules *out)
{
	struct config_schedule *s = &out->one[out->count++];
	int rc = name_apply(doc, base, name, out, &s->name);
	rc = config_worse(rc, window_apply(doc, base, node, s));
	rc = config_worse(rc, zone_apply(doc, base, node, &c->time_zones, s));
	return config_worse(rc, effects_apply(doc, base, node, &c->blocking, s));
}

static int family_time_apply(const struct config_doc *doc, const char *owner,
	const struct config_node *node, struct config *c, struct config_schedules *out)
{
	char base[CONFIG_PATH_MAX], key[CONFIG_PATH_MAX];
	const struct {
		const char *text, *of;
	} foreign[] = {{config_node_text(node, "name"), "name"},
		{config_node_text(node, "pause"), "pause"},
		{config_node_text(node, "block_all"), "block_all"}};
	config_sub_key(base, owner, "family_time");
	for (size_t i = 0; i < ARRAY_LEN(foreign); i++)
		if (foreign[i].text)
			return config_refuse(
				doc, config_sub_key(key, base, foreign[i].of), "unknown key");
	const int rc = schedule_apply(doc, base, FAMILY_TIME, node, c, out);
	out->one[out->count - 1].is_family_time = true;
	return rc;
}

static int schedules_apply(const struct config_doc *doc, const char *owner,
	const struct config_node *node, struct config *c, struct config_schedules *out)
{
	char list[CONFIG_PATH_MAX], base[CONFIG_PATH_MAX];
	unsigned count = config_node_count(node, "schedules")
			 + (config_node_mapping(node, "family_time") != NULL);
	int rc = 0;
	if (count == 0)
		return 0;
	out->one = heap_calloc(count, sizeof(*out->one));
	if (!out->one)
		return -ENOMEM;
	if (config_node_mapping(node, "family_time"))
		rc = family_time_apply(
			doc, owner, config_node_mapping(node, "family_time"), c, out);
	config_sub_key(list, owner, "schedules");
	for (unsigned i = 0; i < config_node_count(node, "schedules"); i++) {
		const struct config_node *one = config_node_item(node, "schedules", i);
		config_item_key(base, list, i, NULL);
		rc = config_worse(
			rc, schedule_apply(doc, base, config_node_text(one, "name"), one, c, out));
	}
	return rc;
}

static void schedules_free(struct config_schedules *s)
{
	for (unsigned i = 0; i < s->count; i++) {
		FREE_AND_NULL(s->one[i].name);
		FREE_AND_NULL(s->one[i].lists);
		FREE_AND_NULL(s->one[i].domains);
		FREE_AND_NULL(s->one[i].time_zone);
	}
	FREE_AND_NULL(s->one);
}

static const char *list_near(const struct config_blocking *blocking, const char *text)
{
	struct text_near near;
	text_near_begin(&near, text);
	for (unsigned i = 0; i < blocking->list_count; i++)
		if (blocking->lists[i].name)
			text_near_try(&near, blocking->lists[i].name);
	for (unsigned i = 0; i < blocking->disabled_count; i++)
		text_near_try(&near, blocking->disabled[i].name);
	return near.best;
}

// The number of the list. list_count: the list is disabled, or may be a list whose own name was
// refused. -EINVAL by config_refuse.
static int list_find(const struct config_doc *doc, const char *key, const char *text,
	const struct config_blocking *blocking)
{
	char shown[CONFIG_TITLE_MAX + 1];
	bool is_nameless = false;
	for (unsigned k = 0; k < blocking->list_count; k++) {
		const char *name = blocking->lists[k].name;
		if (name && strcmp(name, text) == 0)
			return (int)k;
		is_nameless |= !name;
	}
	if (is_nameless || config_list_is_disabled(blocking, text))
		return (int)blocking->list_count;
	return config_refuse_near(doc, key, list_near(blocking, text), "list \"%s\" is not defined",
		text_escape(text, shown, sizeof(shown)));
}

int config_list_names_apply(const struct config_doc *doc, const char *list,
	const struct config_node *items, const struct config_blocking *blocking, unsigned **out,
	unsigned *out_count)
{
	const unsigned count = config_list_count(items);
	int rc = 0;
	if (count == 0)
		return 0;
	*out = heap_calloc(count, sizeof **out);
	if (!*out)
		return -ENOMEM;
	for (unsigned i = 0; i < count; i++) {
		char key[CONFIG_PATH_MAX];
		int k = list_find(
			doc, config_item_key(key, list, i, NULL), items->child[i]->text, blocking);
		if (k < 0)
			rc = k;
		else if ((unsigned)k < blocking->list_count)
			(*out)[(*out_count)++] = (unsigned)k;
	}
	return rc;
}

static int level_apply(const struct config_doc *doc, const char *key, const char *text,
	unsigned engine, uint8_t *level)
{
	if (strcmp(text, "true") == 0 || strcmp(text, "strict") == 0)
		*level = SAFE_LEVEL_STRICT;
	else if (strcmp(text, "false") == 0 || strcmp(text, "off") == 0)
		*level = SAFE_LEVEL_OFF;
	else if (strcmp(text, "moderate") == 0 && engine == SAFE_ENGINE_YOUTUBE)
		*level = SAFE_LEVEL_MODERATE;
	else
		return config_refuse(doc, key,
			engine == SAFE_ENGINE_YOUTUBE
				? "must be one of: off, moderate, strict, true, false"
				: "must be one of: off, strict, true, false");
	return 0;
}

static int safe_search_apply(const struct config_doc *doc, const char *owner,
	const struct config_node *node, struct config_safe_search *out)
{
	char base[CONFIG_PATH_MAX], key[CONFIG_PATH_MAX];
	bool all = false;
	config_sub_key(base, owner, "safe_search");
	int rc = config_bool_of(doc, base, node, "all", &all);
	for (unsigned i = 0; i < SAFE_ENGINE_COUNT; i++) {
		out->level[i] = all ? SAFE_LEVEL_STRICT : SAFE_LEVEL_OFF;
		const char *text = config_node_text(node, safe_engine_word(i));
		if (text)
			rc = config_worse(
				rc, level_apply(doc, config_sub_key(key, base, safe_engine_word(i)),
					    text, i, &out->level[i]));
	}
	return rc;
}

int config_filter_apply(const struct config_doc *doc, const char *owner,
	const struct config_node *node, struct config *c, struct config_filter *out)
{
	char key[CONFIG_PATH_MAX];
	int rc = services_apply(doc, config_sub_key(key, owner, "services"),
		config_node_list(node, "services"), &out->services);
	const struct config_node *safe = config_node_mapping(node, "safe_search");
	if (safe)
		rc = config_worse(rc, safe_search_apply(doc, owner, safe, &out->safe_search));
	return config_worse(rc, schedules_apply(doc, owner, node, c, &out->schedules));
}

void config_time_zones_free(struct config_time_zones *zones)
{
	for (unsigned i = 0; i < zones->count; i++) {
		FREE_AND_NULL(zones->one[i].path);
		time_zone_free(zones->one[i].zone);
	}
	zones->count = 0;
}

void config_filter_free(struct config_filter *f)
{
	schedules_free(&f->schedules);
}
