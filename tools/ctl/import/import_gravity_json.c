// SPDX-License-Identifier: BSD-3-Clause

#include "import_file.h"
#include "import_gravity.h"
#include "lib/json_doc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *file;
	enum gravity_table table;
	int type; // of domains; lists carry their own
	const char *text, *link;
} files[] = {
	{"group.json", GRAVITY_GROUPS, 0, "name", NULL},
	{"adlist.json", GRAVITY_LISTS, 0, "address", NULL},
	{"whitelist.exact.json", GRAVITY_DOMAINS, 0, "domain", NULL},
	{"blacklist.exact.json", GRAVITY_DOMAINS, 1, "domain", NULL},
	{"whitelist.regex.json", GRAVITY_DOMAINS, 2, "domain", NULL},
	{"blacklist.regex.json", GRAVITY_DOMAINS, 3, "domain", NULL},
	{"client.json", GRAVITY_CLIENTS, 0, "ip", NULL},
	{"adlist_by_group.json", GRAVITY_LISTS, 0, NULL, "adlist_id"},
	{"domainlist_by_group.json", GRAVITY_DOMAINS, 0, NULL, "domainlist_id"},
	{"client_by_group.json", GRAVITY_CLIENTS, 0, NULL, "client_id"},
};

// The file is an array; the reader of JSON wants an object.
static struct json_doc *rows_parse(const char *text)
{
	char *whole;
	int len = asprintf(&whole, "{\"rows\": %s}", text);
	if (len < 0)
		return NULL;
	struct json_doc *doc = json_doc_parse(whole, (size_t)len);
	free(whole);
	return doc;
}

static void rows_take(struct gravity *g, size_t file, const struct json_node *rows)
{
	for (size_t i = 0; i < json_length(rows); i++) {
		const struct json_node *row = json_at(rows, i);
		const enum gravity_table table = files[file].table;
		if (files[file].link)
			import_gravity_link(g, table, json_signed(row, files[file].link),
				json_signed(row, "group_id"));
		else
			import_gravity_row(g, table, json_signed(row, "id"),
				table == GRAVITY_LISTS ? (int)json_signed(row, "type")
						       : files[file].type,
				table == GRAVITY_CLIENTS || json_signed(row, "enabled") != 0,
				json_text(row, files[file].text), json_text(row, "comment"));
	}
}

int import_gravity_json(
	struct gravity *g, const char *folder, unsigned *found, char why[IMPORT_WHY_MAX])
{
	int rc = 0;
	*found = 0;
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(files); i++) {
		char *path = import_file_join(folder, files[i].file), *text = NULL;
		if (files[i].link && (i == 0 || !files[i - 1].link))
			import_gravity_sort(g);
		if (path && import_file_exists(path)) {
			rc = import_file_read(path, &text, NULL, why);
			struct json_doc *doc = rc == 0 ? rows_parse(text) : NULL;
			if (rc == 0 && !doc) {
				snprintf(
					why, IMPORT_WHY_MAX, "%.250s: is no JSON of Pi-hole", path);
				rc = -EINVAL;
			}
			if (doc)
				rows_take(g, i, json_get(json_doc_root(doc), "rows"));
			json_doc_free(doc);
			*found += rc == 0;
		}
		free(text);
		free(path);
	}
	return rc;
}
