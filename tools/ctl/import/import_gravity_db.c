// SPDX-License-Identifier: BSD-3-Clause

#include "import_file.h"
#include "import_gravity.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Steps of SQLite's machine, in thousands: a database of 100,000 rows a table takes some thousand.
enum { STEPS_MAX = 200000 };

static const struct {
	enum gravity_table table;
	const char *rows, *links; // id, type, enabled, text, note; id, group
} tables[] = {
	{GRAVITY_GROUPS, "SELECT id, 0, enabled, name, description FROM main.\"group\"", NULL},
	{GRAVITY_LISTS, "SELECT id, type, enabled, address, comment FROM main.adlist",
		"SELECT adlist_id, group_id FROM main.adlist_by_group"},
	{GRAVITY_DOMAINS, "SELECT id, type, enabled, domain, comment FROM main.domainlist",
		"SELECT domainlist_id, group_id FROM main.domainlist_by_group"},
	{GRAVITY_CLIENTS, "SELECT id, 0, 1, ip, comment FROM main.client",
		"SELECT client_id, group_id FROM main.client_by_group"},
};
// Before there were lists of names to allow.
static const char old_lists[] = "SELECT id, 0, enabled, address, comment FROM main.adlist";

static int steps_count(void *arg)
{
	unsigned *steps = arg;
	return ++*steps > STEPS_MAX;
}

static void row_take(struct gravity *g, enum gravity_table table, bool is_link, sqlite3_stmt *s)
{
	if (is_link)
		import_gravity_link(
			g, table, sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1));
	else
		import_gravity_row(g, table, sqlite3_column_int64(s, 0), sqlite3_column_int(s, 1),
			sqlite3_column_int(s, 2) != 0, (const char *)sqlite3_column_text(s, 3),
			(const char *)sqlite3_column_text(s, 4));
}

static int query(
	sqlite3 *db, const char *sql, struct gravity *g, enum gravity_table table, bool is_link)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &s, NULL);
	if (rc == SQLITE_OK)
		while ((rc = sqlite3_step(s)) == SQLITE_ROW)
			row_take(g, table, is_link, s);
	sqlite3_finalize(s);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int tables_read(sqlite3 *db, struct gravity *g)
{
	int rc = SQLITE_OK;
	for (size_t i = 0; rc == SQLITE_OK && i < ARRAY_LEN(tables); i++) {
		rc = query(db, tables[i].rows, g, tables[i].table, false);
		if (rc == SQLITE_ERROR && tables[i].table == GRAVITY_LISTS)
			rc = query(db, old_lists, g, GRAVITY_LISTS, false);
	}
	import_gravity_sort(g);
	for (size_t i = 0; rc == SQLITE_OK && i < ARRAY_LEN(tables); i++)
		if (tables[i].links)
			rc = query(db, tables[i].links, g, tables[i].table, true);
	return rc;
}

// As a URI: whatever is in the path stays a part of it.
static char *uri_make(const char *path)
{
	static const char hex[] = "0123456789ABCDEF";
	char *real = realpath(path, NULL), *uri = real ? malloc(3 * strlen(real) + 40) : NULL;
	size_t n = 0;
	if (uri) {
		n = (size_t)sprintf(uri, "file:");
		for (const char *p = real; *p; p++) {
			if (strchr("%?#", *p)) {
				uri[n++] = '%';
				uri[n++] = hex[(unsigned char)*p >> 4];
				uri[n++] = hex[*p & 15];
			} else {
				uri[n++] = *p;
			}
		}
		sprintf(uri + n, "?immutable=1");
	}
	free(real);
	return uri;
}

int import_gravity_db(struct gravity *g, const char *path, char why[IMPORT_WHY_MAX])
{
	sqlite3 *db = NULL;
	unsigned steps = 0;
	char *uri = uri_make(path);
	if (!uri)
		return -ENOMEM;
	int rc = sqlite3_open_v2(uri, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
	free(uri);
	if (rc == SQLITE_OK) {
		sqlite3_progress_handler(db, 1000, steps_count, &steps);
		(void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
		(void)sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
		(void)sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 1 << 20);
		rc = tables_read(db, g);
	}
	if (rc != SQLITE_OK)
		snprintf(why, IMPORT_WHY_MAX,
			"%.200s: no database of Pi-hole that can be read: %.150s", path,
			db ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
	sqlite3_close(db);
	return rc == SQLITE_OK ? 0 : -EINVAL;
}
