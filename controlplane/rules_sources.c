// SPDX-License-Identifier: BSD-3-Clause
#include "rules_sources.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *keep(char **at, const char *text)
{
	char *copy = *at;
	*at = stpcpy(copy, text) + 1;
	return copy;
}

static struct rule_source group_source(const struct rules_sources *s, unsigned i)
{
	return (struct rule_source){
		.title = group_source_title(s->groups, i),
		.rules = group_source_rules,
		.arg = group_source_arg(s->groups, i),
	};
}

static int add_rebinding(struct rules_sources *s, const struct config *c)
{
	int err = rebinding_source_new(c, &s->rebinding);
	if (err || !s->rebinding)
		return err;
	if (s->count == RULE_SOURCES_MAX)
		return -E2BIG;
	s->source[s->count++] = (struct rule_source){
		.title = REBINDING_TITLE, .rules = rebinding_source_rules, .arg = s->rebinding};
	return 0;
}

static int copy_from(struct rules_sources *s, const struct config *config)
{
	const struct config_blocking *c = &config->blocking;
	size_t text = 1;
	int err = group_sources_new(config, &s->groups);
	if (err)
		return err;
	if (c->list_count + s->groups->count > RULE_SOURCES_MAX)
		return -E2BIG;
	for (unsigned i = 0; i < c->list_count; i++)
		text += strlen(c->lists[i].name) + strlen(c->lists[i].path) + 2;
	char *at = s->text = malloc(text);
	if (!s->text)
		return -ENOMEM;
	static_assert(RULE_LIST_ALLOW == 0 && RULE_LIST_DENY == 1 && RULE_LIST_FIRST == 2);
	for (; s->count < RULE_LIST_FIRST; s->count++)
		s->source[s->count] = group_source(s, s->count);
	s->source[RULE_LIST_ALLOW].allow = true;
	for (unsigned i = 0; i < c->list_count; i++)
		s->source[s->count++] = (struct rule_source){.title = keep(&at, c->lists[i].name),
			.path = keep(&at, c->lists[i].path),
			.allow = c->lists[i].allow};
	for (unsigned i = RULE_LIST_FIRST; i < s->groups->count; i++)
		s->source[s->count++] = group_source(s, i);
	return 0;
}

int rules_sources_new(const struct config *config, struct rules_sources **out)
{
	struct rules_sources *s = calloc(1, sizeof *s);
	int err = s ? copy_from(s, config) : -ENOMEM;
	if (!err)
		err = add_rebinding(s, config);
	if (err) {
		rules_sources_free(s);
		return err;
	}
	*out = s;
	return 0;
}

void rules_sources_free(struct rules_sources *s)
{
	if (!s)
		return;
	group_sources_free(s->groups);
	rebinding_source_free(s->rebinding);
	free(s->text);
	free(s);
}
