// SPDX-License-Identifier: BSD-3-Clause
#include "rules_look.h"

#include "list_kept.h"
#include "list_store.h"

static_assert(CONFIG_LISTS_MAX + RULE_LIST_FIRST <= RULE_LISTS_MAX);

static void hosts_note(const struct rules_sources *s, struct file_seen seen[CONFIG_HOSTS_FILES_MAX])
{
	const char *path;
	for (unsigned i = 0; (path = local_data_hosts(s->local, i)); i++)
		seen[i] = file_seen_now(path);
}

uint64_t rules_look_hash(struct rules_seen *seen, const struct rules_sources *s,
	struct rule_source_result *result, struct pace *pace)
{
	struct file_seen before[CONFIG_HOSTS_FILES_MAX];
	time_t read_unix_s = time(NULL);
	const char *path;
	hosts_note(s, before);
	uint64_t hash = rule_compile_hash(s->source, s->count, result, seen->list, pace);
	for (unsigned i = 0; (path = local_data_hosts(s->local, i)); i++)
		seen->hosts[i] = file_seen_settled(&before[i], path, read_unix_s);
	return hash;
}

static bool list_same(
	const struct rule_known *known, const struct config_list *l, const char *state_directory)
{
	const struct rule_source source = {.title = l->name,
		.allow = l->allow,
		.force = l->force,
		.exact = l->exact,
		.format = l->format};
	struct list_store_paths stored;
	char kept[PATH_MAX];
	const char *path = l->path;
	if (l->url) {
		if (list_store_paths(&stored, state_directory, l->url))
			return false;
		path = stored.list;
	}
	struct file_seen now = file_seen_now(path);
	return file_seen_same(&now, &known->file)
	       && list_kept_path(kept, state_directory, &source) == 0 && list_kept_is(path, kept);
}

bool rules_look_same(const struct rules_seen *seen, const struct config *c)
{
	bool same = true;
	for (unsigned i = 0; i < c->blocking.list_count && same; i++)
		same = list_same(&seen->list[RULE_LIST_FIRST + i], &c->blocking.lists[i],
			c->runtime.state_directory);
	for (unsigned i = 0; i < c->local.hosts_file_count && same; i++) {
		struct file_seen now = file_seen_now(c->local.hosts_files[i]);
		same = file_seen_same(&now, &seen->hosts[i]);
	}
	return same;
}
