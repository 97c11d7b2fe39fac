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
	const bool is_filter = len > 1 && rule[0] != '|' && rule[len - 1] == '^';
	tail_cut(rule);
	if (strncmp(rule, "||*.", 4) == 0)
		below_take(m, items, rule + 4);
	else if (strncmp(rule, "||", 2) == 0)
		import_add_name(m, items, rule + 2, NULL);
	else if (is_filter || strncmp(rule, "*.", 2) == 0)
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

// Is the name, or one above it, among the sorted texts?
static bool is_covered(const char *name, const char **sorted, unsigned count)
{
	while (name && *name) {
		if (bsearch(&name, sorted, count, sizeof(*sorted), by_text))
			return true;
		name = strchr(name, '.');
		name = name ? name + 1 : NULL;
	}
	return false;
}

// "/(^|\\.)a\\.example$/"
static void to_pattern(struct import_model *m, struct import_item *item)
{
	char out[2 * 1024 + 16];
	size_t n = (size_t)snprintf(out, sizeof(out), "/(^|\\.)");
	for (const char *p = item->text; *p && n + 5 < sizeof(out); p++) {
		if (*p == '.')
			out[n++] = '\\';
		out[n++] = *p;
	}
	snprintf(out + n, sizeof(out) - n, "$/");
	char *text = import_model_text(m, "%s", out);
	if (!text)
		return;
	free(item->text);
	item->text = text;
}

static void deny_settle(struct import_model *m, struct import_items *deny, bool all,
	const char **sorted, unsigned count)
{
	for (unsigned i = 0; i < deny->count; i++) {
		const char *text = deny->item[i].text;
		// Names with other characters have escapes, which a pattern spells in another way.
		if (text[0] != '/' && !strchr(text, '\\')
			&& (all || is_covered(text, sorted, count)))
			to_pattern(m, &deny->item[i]);
	}
}

void import_rules_settle(struct import_model *m)
{
	unsigned names = m->allow.count, count = 0;
	bool has_pattern = false;
	for (unsigned g = 0; g < m->group_count; g++)
		names += m->group[g].allow.count;
	const char **sorted = calloc(names + 1, sizeof(*sorted));
	if (!sorted) {
		m->failed = true;
		return;
	}
	for (unsigned g = 0; g <= m->group_count; g++) {
		const struct import_items *of = g ? &m->group[g - 1].allow : &m->allow;
		for (unsigned i = 0; i < of->count; i++) {
			has_pattern |= of->item[i].text[0] == '/';
			sorted[count++] = of->item[i].text;
		}
	}
	qsort(sorted, count, sizeof(*sorted), by_text);
	deny_settle(m, &m->deny, has_pattern, sorted, count);
	for (unsigned g = 0; g < m->group_count; g++)
		deny_settle(m, &m->group[g].deny, has_pattern, sorted, count);
	free(sorted);
}
