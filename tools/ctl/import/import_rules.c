// SPDX-License-Identifier: BSD-3-Clause

#include "import_rules.h"

#include "import_add.h"
#include "import_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/config.h>

static bool is_sink(const char *address)
{
	return strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0
	       || strcmp(address, "::1") == 0 || strncmp(address, "127.", 4) == 0;
}

// "192.0.2.1 a.example b.example".
static void hosts_take(struct import_model *m, struct import_items *items, char *line)
{
	char *address = import_file_word(&line), *name;
	while ((name = import_file_word(&line)) && *name != '#') {
		if (is_sink(address))
			import_add_exact(m, items, name, NULL);
		else
			import_add_address(m, name, address, -1);
	}
}

// The options behind the last `$` of a rule. False: one that an entry cannot have.
static bool options_cut(char *rule)
{
	char *dollar = strrchr(rule, '$');
	if (!dollar || (rule[0] == '/' && strchr(dollar, '/')) || dollar[1] == '\0')
		return true;
	if (strcmp(dollar + 1, "important") != 0)
		return false;
	*dollar = '\0';
	return true;
}

static void tail_cut(char *name)
{
	size_t len = strlen(name);
	while (len && strchr("^|", name[len - 1]))
		name[--len] = '\0';
}

static void below_take(struct import_model *m, struct import_items *items, const char *name)
{
	char pattern[600];
	size_t n = (size_t)snprintf(pattern, sizeof(pattern), "\\.");
	for (; *name && n + 4 < sizeof(pattern); name++) {
		if (*name == '.')
			pattern[n++] = '\\';
		pattern[n++] = *name;
	}
	snprintf(pattern + n, sizeof(pattern) - n, "$");
	import_add_pattern(m, items, pattern, NULL);
}

static void rule_take(struct import_model *m, struct import_items *items, char *rule)
{
	const size_t len = strlen(rule);
	if (len > 2 && rule[0] == '/' && rule[len - 1] == '/') {
		rule[len - 1] = '\0';
		import_add_pattern(m, items, rule + 1, NULL);
		return;
	}
	tail_cut(rule);
	if (strncmp(rule, "||*.", 4) == 0)
		below_take(m, items, rule + 4);
	else if (strncmp(rule, "||", 2) == 0)
		import_add_name(m, items, rule + 2, NULL);
	else if (strncmp(rule, "*.", 2) == 0)
		import_add_name(m, items, rule, NULL);
	else
		import_add_exact(m, items, rule + (rule[0] == '|'), NULL);
}

static void line_take(struct import_model *m, struct import_items *allow, struct import_items *deny,
	char *line, bool is_allow)
{
	struct ip_address a;
	char whole[300];
	line += strspn(line, " \t");
	if (!*line || *line == '!' || *line == '#')
		return;
	snprintf(whole, sizeof(whole), "%s", line);
	if (strncmp(line, "@@", 2) == 0) {
		is_allow = true;
		line += 2;
	}
	struct import_items *items = is_allow ? allow : deny;
	const size_t len = strcspn(line, " \t");
	char first[64];
	snprintf(first, sizeof(first), "%.*s", (int)len, line);
	if (len < sizeof(first) && line[len] && ip_address_parse(first, &a) == 0) {
		hosts_take(m, items, line);
		return;
	}
	char *comment = strstr(line, " #");
	if (comment && line[0] != '/')
		*comment = '\0';
	size_t end = strlen(line);
	while (end && strchr(" \t", line[end - 1]))
		line[--end] = '\0';
	if (options_cut(line))
		rule_take(m, items, line);
	else
		import_miss(m, whole,
			"the rule is left out: an entry has no options; put it into a file, and "
			"that "
			"into blocking.lists (docs/reference/lists.md says which options weir "
			"has)");
}

void import_rules_text(struct import_model *m, struct import_items *allow,
	struct import_items *deny, const char *text, bool is_allow)
{
	char *copy = import_model_text(m, "%s", text), *rest = copy, *line;
	while (copy && (line = import_file_line(&rest)))
		line_take(m, allow, deny, line, is_allow);
	free(copy);
}

static int by_text(const void *x, const void *y)
{
	const char *const *a = x, *const *b = y;
	return strcmp(*a, *b);
}

// The name, or one above it, in the sorted texts.
static const char *covering(const char *name, const char **sorted, unsigned count)
{
	while (name && *name) {
		const char **found = bsearch(&name, sorted, count, sizeof(*sorted), by_text);
		if (found)
			return *found;
		name = strchr(name, '.');
		name = name ? name + 1 : NULL;
	}
	return NULL;
}

void import_rules_settle(
	struct import_model *m, const struct import_items *allow, struct import_items *deny)
{
	unsigned kept = 0;
	const char **sorted = calloc(allow->count + 1, sizeof(*sorted));
	if (!sorted) {
		m->failed = true;
		return;
	}
	for (unsigned i = 0; i < allow->count; i++)
		sorted[i] = allow->item[i].text;
	qsort(sorted, allow->count, sizeof(*sorted), by_text);
	for (unsigned i = 0; i < deny->count; i++) {
		struct import_item one = deny->item[i];
		const char *by =
			one.text[0] == '/' ? NULL : covering(one.text, sorted, allow->count);
		if (by) {
			import_miss(m, one.text,
				"the entry of deny is left out: `%.200s` is allowed, which wins "
				"there",
				by);
			free(one.text);
			free(one.note);
		} else {
			deny->item[kept++] = one;
		}
	}
	deny->count = kept;
	free(sorted);
}
