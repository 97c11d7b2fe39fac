// SPDX-License-Identifier: BSD-3-Clause

// Pi-hole 5 and 6: its database, a folder with its files or with an unpacked teleporter archive, or
// one of these files.

#include "import_add.h"
#include "import_dnsmasq.h"
#include "import_file.h"
#include "import_gravity.h"
#include "import_pihole_settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int db_read(struct import_model *m, const char *path, char why[IMPORT_WHY_MAX])
{
	struct gravity g = {0};
	int rc = import_gravity_db(&g, path, why);
	if (rc == 0)
		import_gravity_give(m, &g);
	import_gravity_free(&g);
	return rc;
}

struct lines {
	struct import_model *m;
	const char *path;
	void (*take)(struct import_model *m, const char *path, char *line);
};

static void line_give(void *arg, char *line)
{
	const struct lines *l = arg;
	l->take(l->m, l->path, line);
}

static int lines_read(struct import_model *m, const char *path, char why[IMPORT_WHY_MAX],
	void (*take)(struct import_model *m, const char *path, char *line))
{
	struct lines l = {m, path, take};
	return import_file_lines(path, line_give, &l, why);
}

static void hosts_take(struct import_model *m, const char *, char *line)
{
	import_dnsmasq_hosts_line(m, line);
}

static int toml_read(struct import_model *m, const char *path, char why[IMPORT_WHY_MAX])
{
	char *text;
	int rc = import_file_read(path, &text, NULL, why);
	if (rc < 0)
		return rc;
	if (import_pihole_toml(m, text) == 0) {
		snprintf(why, IMPORT_WHY_MAX, "%.250s: has no setting of Pi-hole", path);
		rc = -EINVAL;
	}
	free(text);
	return rc;
}

static bool ends_in(const char *text, const char *end)
{
	const size_t len = strlen(text), n = strlen(end);
	return len >= n && strcmp(text + len - n, end) == 0;
}

static int file_read(struct import_model *m, const char *path, char why[IMPORT_WHY_MAX])
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	if (ends_in(name, ".db"))
		return db_read(m, path, why);
	if (ends_in(name, ".toml"))
		return toml_read(m, path, why);
	if (strcmp(name, "custom.list") == 0)
		return lines_read(m, path, why, hosts_take);
	if (strcmp(name, "setupVars.conf") == 0 || strcmp(name, "pihole-FTL.conf") == 0)
		return lines_read(m, path, why, import_pihole_setting);
	if (ends_in(name, ".conf"))
		return lines_read(m, path, why, import_dnsmasq_line);
	snprintf(why, IMPORT_WHY_MAX,
		"%.150s: weirctl knows files of Pi-hole by their names: *.db, pihole.toml, "
		"setupVars.conf, pihole-FTL.conf, custom.list, dnsmasq.d/*.conf, or a folder with "
		"them",
		path);
	return -EINVAL;
}

// A file of a folder, if it is there. Its errors are misses: the others count all the same.
static void file_try(struct import_model *m, const char *folder, const char *name, unsigned *found)
{
	char why[IMPORT_WHY_MAX], *path = import_file_join(folder, name);
	const char *before = m->place;
	if (path && import_file_exists(path)) {
		m->place = path;
		if (file_read(m, path, why) < 0)
			import_miss(m, NULL, "%s", why);
		++*found;
		m->place = before;
	}
	free(path);
}

struct each {
	struct import_model *m;
	unsigned *found;
};

static void each_dnsmasq(void *arg, const char *path)
{
	// Pi-hole writes these itself, from its settings.
	static const char *const own[] = {"01-pihole.conf", "02-pihole-dhcp.conf",
		"04-pihole-static-dhcp.conf", "06-rfc6761.conf"};
	const struct each *e = arg;
	const char *slash = strrchr(path, '/'), *before = e->m->place;
	char why[IMPORT_WHY_MAX];
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (slash && strcmp(slash + 1, own[i]) == 0)
			return;
	e->m->place = path;
	if (lines_read(e->m, path, why, import_dnsmasq_line) < 0)
		import_miss(e->m, NULL, "%s", why);
	e->m->place = before;
	++*e->found;
}

static int json_read(
	struct import_model *m, const char *folder, unsigned *found, char why[IMPORT_WHY_MAX])
{
	struct gravity g = {0};
	unsigned files;
	int rc = import_gravity_json(&g, folder, &files, why);
	if (rc == 0 && files)
		import_gravity_give(m, &g);
	*found += files;
	import_gravity_free(&g);
	return rc;
}

static int folder_read(struct import_model *m, const char *folder, char why[IMPORT_WHY_MAX])
{
	// As on the machine, in the archive of version 6, and in that of version 5.
	static const char *const files[] = {"pihole.toml", "etc/pihole/pihole.toml",
		"setupVars.conf", "pihole-FTL.conf", "custom.list", "05-pihole-custom-cname.conf"};
	static const char *const dbs[] = {"gravity.db", "etc/pihole/gravity.db"};
	static const char *const dnsmasq[] = {"dnsmasq.d", "etc/dnsmasq.d"};
	unsigned found = 0, with_db = 0;
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		file_try(m, folder, files[i], &found);
	for (size_t i = 0; i < ARRAY_LEN(dbs) && !with_db; i++)
		file_try(m, folder, dbs[i], &with_db);
	int rc = with_db ? 0 : json_read(m, folder, &found, why);
	for (size_t i = 0; i < ARRAY_LEN(dnsmasq); i++) {
		char *path = import_file_join(folder, dnsmasq[i]);
		char *pattern = path && import_file_is_folder(path)
					? import_file_join(path, "*.conf")
					: NULL;
		struct each e = {m, &found};
		if (pattern)
			import_file_each(m, pattern, each_dnsmasq, &e);
		free(pattern);
		free(path);
	}
	if (rc == 0 && found + with_db == 0) {
		snprintf(why, IMPORT_WHY_MAX, "%.250s: no file of Pi-hole is in this folder",
			folder);
		rc = -ENOENT;
	}
	return rc;
}

int import_pihole(struct import_model *m, const char *path, char why[IMPORT_WHY_MAX])
{
	m->list_exact = true;
	return import_file_is_folder(path) ? folder_read(m, path, why) : file_read(m, path, why);
}
