// SPDX-License-Identifier: BSD-3-Clause

#include "verb_words.h"

#include <stdio.h>
#include <string.h>
#include <weir/config/managed.h>
#include <weir/config_tools.h>
#include <weir/heap_site.h>

// A key below a group, or below `blocking`, and its item: "schedule bedtime", "safe search".
static void key_words(const char *path, char *out, size_t cap)
{
	static const char schedules[] = "schedules[";
	const bool is_schedule = strncmp(path, schedules, sizeof(schedules) - 1) == 0;
	const char *name = is_schedule ? path + sizeof(schedules) - 1 : path;
	snprintf(out, cap, "%s%.*s", is_schedule ? "schedule " : "",
		(int)strcspn(name, is_schedule ? "]" : ".["), name);
	for (char *p = out; !is_schedule && *p; p++)
		if (*p == '_')
			*p = ' ';
}

// Writes "TITLE NAME" for a path that begins with `start` and the name of an item, and what is
// below. False: it begins with something else.
static bool item_words(
	const char *path, const char *start, const char *title, char *out, size_t cap)
{
	const size_t len = strlen(start);
	const char *end = strncmp(path, start, len) == 0 ? strchr(path + len, ']') : NULL;
	if (!end)
		return false;
	const int used = snprintf(out, cap, "%s %.*s%s", title, (int)(end - path - (int)len),
		path + len, end[1] == '.' ? ": " : "");
	if (end[1] == '.' && (size_t)used < cap)
		key_words(end + 2, out + used, cap - (size_t)used);
	return true;
}

// A key that each group has too, set for everyone.
static bool everyone_words(const char *path, char *out, size_t cap)
{
	static const char *const keys[] = {"schedules[", "family_time", "safe_search", "services"};
	static const char blocking[] = "blocking.", everyone[] = "everyone: ";
	const char *key = path + sizeof(blocking) - 1;
	bool is_of_groups = false;
	if (strncmp(path, blocking, sizeof(blocking) - 1) != 0)
		return false;
	for (unsigned i = 0; i < ARRAY_LEN(keys); i++)
		is_of_groups = is_of_groups || strncmp(key, keys[i], strlen(keys[i])) == 0;
	if (!is_of_groups)
		return false;
	const int used = snprintf(out, cap, everyone);
	if ((size_t)used < cap)
		key_words(key, out + used, cap - (size_t)used);
	return true;
}

void verb_words_path(const char *path, char *out, size_t cap)
{
	char *shown = config_mask(path, strlen(path));
	const char *text = shown ? shown : "";
	if (!item_words(text, "groups[", "group", out, cap)
		&& !item_words(text, "forward_zones[", "zone", out, cap)
		&& !everyone_words(text, out, cap))
		snprintf(out, cap, "%s", text);
	heap_free(shown);
}

// Adds what the path is about, unless the text names it.
static void add(void *arg, const char *path, const char *value)
{
	(void)value;
	char *out = arg, words[CONFIG_VERSION_WHAT_MAX];
	verb_words_path(path, words, sizeof(words));
	const size_t len = strlen(out), own = strlen(words);
	if (!own) // no memory for the words
		return;
	for (const char *at = out; (at = strstr(at, words)) != NULL; at++)
		if ((at == out || at[-1] == ' ') && (!at[own] || at[own] == ','))
			return;
	snprintf(out + len, CONFIG_VERSION_WHAT_MAX - len, "%s%s", len ? ", " : "", words);
}

void verb_words_override(const char *yaml, char out[CONFIG_VERSION_WHAT_MAX])
{
	static const char set[] = " set";
	char why[CONFIG_WHY_MAX];
	struct config_managed *m = NULL;
	out[0] = '\0';
	if (config_managed_parse("", &m, why) == 0 && config_managed_override(m, yaml, why) == 0)
		(void)!config_managed_overrides(m, add, out);
	config_managed_free(m);
	const size_t len = strlen(out);
	if (!len)
		snprintf(out, CONFIG_VERSION_WHAT_MAX, "config override");
	else if (len + sizeof(set) <= CONFIG_VERSION_WHAT_MAX)
		memcpy(out + len, set, sizeof(set));
	else
		memcpy(out + CONFIG_VERSION_WHAT_MAX - sizeof("..."), "...", sizeof("..."));
}
