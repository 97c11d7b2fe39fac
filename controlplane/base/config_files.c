// SPDX-License-Identifier: BSD-3-Clause
#include "config_files.h"

// NULL, "", or no absolute path: it names none.
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
	const struct config_include *in = &c->include;
	for (unsigned i = 0; i < CONFIG_INCLUDED_MAX; i++)
		path[CONFIG_FILES_INCLUDED + i] = i < in->file_count ? in->files[i] : NULL;
	for (unsigned i = 0; i < CONFIG_INCLUDE_MAX; i++)
		path[CONFIG_FILES_FOLDERS + i] = i < in->folder_count ? in->folders[i] : NULL;
}

// Credentials and variables of a process stay what they were at its start.
static bool is_file(const char *path)
{
	return path && path[0] == '/';
}

// Number `i` of `path`.
static struct file_seen look(const char *path, unsigned i)
{
	return i < CONFIG_FILES_FOLDERS ? file_seen_now(path) : file_seen_folder(path);
}

void config_files_note(struct config_files *f, const struct config *c, time_t began_unix_s)
{
	const char *path[CONFIG_FILES];

	*f = (struct config_files){0};
	paths_of(c, path);
	for (unsigned i = 0; i < CONFIG_FILES; i++) {
		if (!is_file(path[i]))
			continue;
		struct file_seen seen = look(path[i], i);
		if (seen.changed.tv_sec < began_unix_s - FILE_SEEN_SETTLED_S)
			f->seen[i] = seen;
	}
}

bool config_files_same(const struct config_files *f, const struct config *c)
{
	const char *path[CONFIG_FILES];
	bool same = c->path != NULL;

	paths_of(c, path);
	for (unsigned i = 0; same && i < CONFIG_FILES; i++) {
		if (!is_file(path[i]))
			continue;
		struct file_seen now = look(path[i], i);
		same = file_seen_same(&f->seen[i], &now);
	}
	return same;
}
