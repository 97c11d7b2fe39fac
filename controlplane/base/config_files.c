// SPDX-License-Identifier: BSD-3-Clause
#include "config_files.h"

// NULL or "": it names none.
static void paths_of(const struct config *c, const char *path[CONFIG_FILES])
{
	path[0] = c->path;
	path[1] = c->cookies.secret_file;
	path[2] = c->redis.password_file;
	path[3] = c->query_log.clickhouse.password_file;
	path[4] = c->upstreams.ca_file;
	path[5] = c->tls.tickets_file;
	path[6] = c->dnssec.validate ? c->dnssec.anchors : NULL;
	path[7] = c->upstreams.root_hints;
	for (unsigned i = 0; i < CONFIG_TSIG_KEYS_MAX; i++)
		path[CONFIG_FILES_ALONE + i] = i < c->blocking.tsig_key_count
						       ? c->blocking.tsig_keys[i].secret_file
						       : NULL;
}

void config_files_note(struct config_files *f, const struct config *c, time_t began_unix_s)
{
	const char *path[CONFIG_FILES];

	*f = (struct config_files){0};
	paths_of(c, path);
	for (unsigned i = 0; i < CONFIG_FILES; i++) {
		if (!path[i] || !*path[i])
			continue;
		struct file_seen seen = file_seen_now(path[i]);
		f->seen[i] = file_seen_settled(&seen, path[i], began_unix_s);
	}
}

bool config_files_same(const struct config_files *f, const struct config *c)
{
	const char *path[CONFIG_FILES];
	bool same = c->path != NULL;

	paths_of(c, path);
	for (unsigned i = 0; same && i < CONFIG_FILES; i++) {
		if (!path[i] || !*path[i])
			continue;
		struct file_seen now = file_seen_now(path[i]);
		same = file_seen_same(&f->seen[i], &now);
	}
	return same;
}
