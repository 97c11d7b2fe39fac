// SPDX-License-Identifier: BSD-3-Clause
#include "rules_sources.h"

#include "lists/fetch/list_files.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <weir/heap_site.h>

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
		.allow = group_source_allows(s->groups, i),
		.answers = group_source_answers(s->groups, i),
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

// `text` has room for the title, the URL and the path.
static int list_add(struct rules_sources *s, const struct config_list *l, bool passes_any,
	const char *state_directory, char **at)
{
	struct list_store_paths stored;
	char kept[PATH_MAX];
	const char *path = l->path;
	if (l->url) {
		int err = list_store_paths(&stored, state_directory, l->url);
		if (err)
			return err;
		path = stored.list;
		s->url[s->count] = keep(at, l->url);
	}
	struct rule_source *new = &s->source[s->count];
	*new = (struct rule_source){.title = keep(at, l->name),
		.path = keep(at, path),
		.stored = l->url != NULL,
		.allow = l->allow,
		.force = l->force,
		.exact = l->exact,
		.passes_any = passes_any,
		.format = l->format};
	int err = list_kept_path(kept, state_directory, new);
	if (err)
		return err;
	new->kept = keep(at, kept);
	s->count++;
	return 0;
}

static size_t text_size(const struct config_blocking *c, const char *state_directory)
{
	enum { STORED_NAME_MAX = 64 };
	size_t size = strlen(state_directory) + 1;
	for (unsigned i = 0; i < c->list_count; i++) {
		const struct config_list *l = &c->lists[i];
		size += strlen(l->name) + 1 + strlen(state_directory) + STORED_NAME_MAX;
		size += l->path ? strlen(l->path) + 1
				: strlen(l->url) + 1 + strlen(state_directory) + STORED_NAME_MAX;
	}
	return size;
}

static int copy_from(struct rules_sources *s, const struct config *config)
{
	const struct config_blocking *c = &config->blocking;
	const char *state_directory = config->runtime.state_directory;
	int err = group_sources_new(config, &s->groups);
	if (err)
		return err;
	if (c->list_count + s->groups->count > RULE_SOURCES_MAX)
		return -E2BIG;
	char *at = s->text = heap_malloc(text_size(c, state_directory));
	if (!s->text)
		return -ENOMEM;
	s->state_directory = keep(&at, state_directory);
	static_assert(RULE_LIST_ALLOW == 0 && RULE_LIST_DENY == 1 && RULE_LIST_FIRST == 2);
	for (; s->count < RULE_LIST_FIRST; s->count++)
		s->source[s->count] = group_source(s, s->count);
	for (unsigned i = 0; i < c->list_count && !err; i++)
		err = list_add(s, &c->lists[i], c->zones_any, state_directory, &at);
	for (unsigned i = RULE_LIST_FIRST; i < s->groups->count; i++)
		s->source[s->count++] = group_source(s, i);
	return err;
}

static int add_local(struct rules_sources *s, const struct config *c)
{
	int err = local_data_new(c, &s->local);
	for (unsigned i = 0; !err && i < local_data_sources(s->local); i++) {
		if (s->count == RULE_SOURCES_MAX)
			return -E2BIG;
		s->source[s->count++] = (struct rule_source){.title = local_data_title(s->local, i),
			.rules = local_data_rules,
			.arg = local_data_arg(s->local, i),
			.answers = true};
	}
	return err;
}

int rules_sources_new(const struct config *config, struct rules_sources **out)
{
	struct rules_sources *s = heap_calloc(1, sizeof(*s));
	int err = s ? copy_from(s, config) : -ENOMEM;
	if (!err)
		err = add_rebinding(s, config);
	if (!err)
		err = add_local(s, config);
	if (err) {
		rules_sources_free(s);
		return err;
	}
	*out = s;
	return 0;
}

void rules_sources_leave_out(struct rules_sources *s, const bool had_names[RULE_SOURCES_MAX])
{
	for (unsigned i = 0; i < s->count; i++)
		if (s->url[i] && !had_names[i] && access(s->source[i].path, F_OK)
			&& access(s->source[i].kept, F_OK))
			s->source[i].path = NULL;
}

void rules_sources_free(struct rules_sources *s)
{
	if (!s)
		return;
	group_sources_free(s->groups);
	rebinding_source_free(s->rebinding);
	local_data_free(s->local);
	FREE_AND_NULL(s->text);
	heap_free(s);
}
