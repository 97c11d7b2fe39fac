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

static int hand_entries(void *arg, list_rule_take take, void *take_arg)
{
	const struct rules_entries *e = arg;
	int err = 0;
	for (unsigned i = 0; i < e->count && !err; i++) {
		struct list_rule rule = rule_of_name(e->rule_class, &e->name[i]);
		err = take(take_arg, &rule);
	}
	return err;
}

static int copy_from(struct rules_sources *s, const struct config_blocking *c)
{
	size_t text = 1, entries = (size_t)c->allow_count + c->deny_count;
	for (unsigned i = 0; i < c->list_count; i++)
		text += strlen(c->lists[i].name) + strlen(c->lists[i].path) + 2;
	char *at = s->text = malloc(text);
	s->names = malloc((entries + 1) * sizeof *s->names);
	if (!s->text || !s->names)
		return -ENOMEM;
	if (c->allow_count)
		memcpy(s->names, c->allow, c->allow_count * sizeof *s->names);
	if (c->deny_count)
		memcpy(s->names + c->allow_count, c->deny, c->deny_count * sizeof *s->names);
	s->allow = (struct rules_entries){RULE_CLASS_OPERATOR_ALLOW, c->allow_count, s->names};
	s->deny = (struct rules_entries){
		RULE_CLASS_OPERATOR_DENY, c->deny_count, s->names + c->allow_count};
	s->source[RULE_LIST_ALLOW] = (struct rule_source){
		.title = "allow entries", .rules = hand_entries, .arg = &s->allow, .allow = true};
	s->source[RULE_LIST_DENY] = (struct rule_source){
		.title = "deny entries", .rules = hand_entries, .arg = &s->deny};
	s->count = RULE_LIST_FIRST;
	for (unsigned i = 0; i < c->list_count; i++)
		s->source[s->count++] = (struct rule_source){.title = keep(&at, c->lists[i].name),
			.path = keep(&at, c->lists[i].path),
			.allow = c->lists[i].allow};
	return 0;
}

int rules_sources_new(const struct config *config, struct rules_sources **out)
{
	if (config->blocking.list_count > RULE_LISTS_MAX - RULE_LIST_FIRST)
		return -E2BIG;
	struct rules_sources *s = calloc(1, sizeof *s);
	int err = s ? copy_from(s, &config->blocking) : -ENOMEM;
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
	free(s->text);
	free(s->names);
	free(s);
}
