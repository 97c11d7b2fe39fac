// SPDX-License-Identifier: BSD-3-Clause
// Lists of the command line, with their options.

#include "rulec.h"

#include <time.h>

void rulec_lists_begin(struct rulec_lists *l)
{
	*l = (struct rulec_lists){.count = RULE_LIST_FIRST};
	l->source[RULE_LIST_ALLOW].title = "allow entries";
	l->source[RULE_LIST_DENY].title = "deny entries";
}

bool rulec_lists_option(struct rulec_lists *l, int option, const char *value)
{
	switch (option) {
	case 'a':
		l->next.allow = true;
		return true;
	case 'f':
		return config_list_format(value, &l->next.format);
	case 'F':
		l->next.force = true;
		return true;
	case 't':
		l->next.title = value;
		return *value != 0;
	default:
		return false;
	}
}

int rulec_lists_add(struct rulec_lists *l, const char *path)
{
	if (l->count == RULE_LISTS_MAX)
		return rulec_failed("too many lists");
	struct rule_source *s = &l->source[l->count++];
	*s = l->next;
	s->path = path;
	if (!s->title)
		s->title = path;
	l->next = (struct rule_source){0};
	return RULEC_OK;
}

int rulec_lists_compile(const struct rulec_lists *l, struct rule_source_result *result,
	struct rule_arena *out, size_t *peak_bytes)
{
	char why[RULE_COMPILE_WHY_MAX];
	struct rule_compile_options options = {.created_unix_s = (uint64_t)time(NULL)};
	if (keyhash_secret_make(&options.secret))
		return rulec_failed("no random numbers");
	if (rule_compile(l->source, l->count, &options, result, out, peak_bytes, why))
		return rulec_failed(why);
	return RULEC_OK;
}
