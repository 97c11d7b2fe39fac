// SPDX-License-Identifier: BSD-3-Clause
//
// The rights that docs/how-to/clickhouse.md grants are those that the statements of the sink need:
// no statement without its right, no right without a statement.

#include "clickhouse_rig.h"
#include "tests/source_root.h"
#include "tests/unit/unit.h"

enum { SYSTEM_MAX = 16, SYSTEM_NAME_MAX = 40 };

// What a statement has, which is sent for one right.
static const struct right {
	const char *mark, *right;
} rights[] = {
	{"query=INSERT", "INSERT"},
	{"INSERT INTO ", "INSERT"},
	{"CREATE DATABASE ", "CREATE DATABASE"},
	{"CREATE TABLE ", "CREATE TABLE"},
	{"CREATE MATERIALIZED VIEW ", "CREATE VIEW"},
	{" ADD COLUMN ", "ALTER ADD COLUMN"},
	{" MODIFY TTL ", "ALTER TTL"},
	{" DROP PARTITION ", "ALTER DELETE"},
	{"SELECT ", "SELECT"},
};

static bool needs[ARRAY_LEN(rights)], needs_remote;
static char system_table[SYSTEM_MAX][SYSTEM_NAME_MAX];
static unsigned system_tables;
static const char *unknown; // a statement that none of the rights is known for

static void system_table_add(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz_");
	for (unsigned i = 0; i < system_tables; i++)
		if (strlen(system_table[i]) == len && strncmp(system_table[i], name, len) == 0)
			return;
	if (system_tables < SYSTEM_MAX && len < SYSTEM_NAME_MAX)
		memcpy(system_table[system_tables++], name, len); // zeroed
}

static void see(const char *sql)
{
	bool is_known = false;
	for (unsigned i = 0; i < ARRAY_LEN(rights); i++)
		if (strstr(sql, rights[i].mark))
			needs[i] = is_known = true;
	needs_remote |= strstr(sql, "clusterAllReplicas(") != NULL;
	for (const char *at = sql; (at = strstr(at, "system.")); at += 7)
		system_table_add(at + 7);
	if (!is_known && !unknown)
		unknown = strdup(sql);
}

static bool has_dropped(void)
{
	return status.sender.dropped_partitions > 0;
}

static bool has_found(void)
{
	return status.sender.found_chunks > 0;
}

// What a sink sends in its life, to a server that has nothing yet.
static void live(const char *version, bool is_distributed)
{
	server.version = version;
	server.on_statement = see;
	server.lacks_database = server.has_other_ttl = true;
	server.lacks_column = !is_distributed; // as weir adds none there
	server.is_distributed = is_distributed;
	server.has_table = is_distributed;
	server.dedups = !is_distributed;
	server.path = "/clickhouse/tables/1/queries";
	server.zxid = "7\t1795219260";
	server.fault = FAKE_TAKEN_LOST;
	settings.client.urls[1] = "http://127.0.0.1:1";
	settings.schema.rollups = true;
	settings.schema.rollup_days = 1;
	settings.schema.hours = 1;
	settings.unix_s = in_2026;
	strcpy(server.newest, "1795219260\t20261121\n1795219260\t20261120\n1795219260\t20261119\n");
	strcpy(server.parts, "20261118\t1000\t5000\n20261119\t1000\t5000\n20261120\t1000\t5000\n");
	sink_open();
	FEED_UNTIL(has_found, 2, 100);
	if (!is_distributed)
		until(has_dropped);
	sink_close();
	server.on_statement = NULL;
}

TEST_WITH(test_each_statement_has_a_right, clickhouse_rig_open, clickhouse_rig_close)
{
	live("24.8.1.2", false);
	if (unknown)
		fail_msg("no right is known for: %s", unknown);
	for (unsigned i = 0; i < ARRAY_LEN(rights); i++)
		if (!needs[i])
			fail_msg("nothing was sent that needs %s", rights[i].right);
}

TEST_WITH(test_a_distributed_table, clickhouse_rig_open, clickhouse_rig_close)
{
	live("24.8.1.2", true);
	assert_null(unknown);
	assert_true(needs_remote);
}

static char *section_read(void)
{
	static char text[64 * 1024];
	FILE *f = fopen(WEIR_SOURCE_ROOT "/docs/how-to/clickhouse.md", "r");
	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	char *from = strstr(text, "### Rights"), *end = from ? strstr(from, "### Deletion") : NULL;
	assert_non_null(end);
	*end = '\0';
	return from;
}

static bool is_granted(const char *section, const char *right, const char *on)
{
	for (const char *at = section; (at = strstr(at, "\nGRANT ")); at++) {
		const char *end = strstr(at, " ON ");
		size_t len = strlen(right);
		assert_non_null(end);
		for (const char *w = at + 7; w < end; w += strcspn(w, ",") + 2)
			if (strncmp(w, right, len) == 0 && (w[len] == ',' || w + len == end)
				&& strncmp(end + 4, on, strlen(on)) == 0)
				return true;
	}
	return false;
}

static unsigned granted_count(const char *section)
{
	unsigned n = 0;
	for (const char *at = section; (at = strstr(at, "\nGRANT ")); at++) {
		n++;
		for (const char *w = at; w < strstr(at, " ON "); w++)
			n += *w == ',';
	}
	return n;
}

// After the others, which collect what is needed.
TEST(test_the_documented_rights)
{
	const char *section = section_read();
	unsigned needed = 2; // SELECT on system, REMOTE
	for (unsigned i = 0; i < ARRAY_LEN(rights); i++) {
		if (!is_granted(section, rights[i].right, "weir.* TO weir;"))
			fail_msg("docs/how-to/clickhouse.md does not grant %s", rights[i].right);
		needed += i > 0; // INSERT is there twice
	}
	assert_true(is_granted(section, "SELECT", "system.* TO weir;"));
	assert_true(is_granted(section, "REMOTE", "*.* TO weir;"));
	assert_int_equal(granted_count(section), needed);
	const char *comment = strstr(section, "GRANT SELECT ON system.*");
	assert_non_null(comment);
	comment = strstr(comment, "-- ");
	for (unsigned i = 0; i < system_tables; i++) {
		const char *at = strstr(comment, system_table[i]);
		if (!at || at > strchr(comment, '\n'))
			fail_msg("docs/how-to/clickhouse.md does not name system.%s",
				system_table[i]);
	}
	unsigned commas = 0;
	for (const char *at = comment; *at != '\n'; at++)
		commas += *at == ',';
	assert_int_equal(system_tables, commas + 1);
}

FIXTURE(unknown_free, free((char *)(uintptr_t)unknown))

TEST_GROUP(NULL, unknown_free)
