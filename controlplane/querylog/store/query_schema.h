// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The schema of a file of the query store, for its writer and its reader.
//
// A row is nine small numbers: repeated values (names, clients, and the kind of an answer) are in
// tables of their own, once or a few times per file, and rows have their numbers. `time` is
// microseconds from the middle of the hour, so that it takes four bytes, and a port's upper half is
// negative, so that it takes two. The view `queries` shows rows as they were logged, for sqlite3
// and people.

enum {
	QUERY_SCHEMA_VERSION = 2,
	QUERY_SCHEMA_OLDEST = 1, // oldest version that the reader reads and the writer upgrades
	QUERY_APPLICATION_ID = 0x77656972, // "weir"
};
#define QUERY_HOUR_US INT64_C(3600000000)
// Rows of a file are rarely out of order by more than QUERY_SLACK_US: the rings of the workers are
// read one after the other, so after a pause of the control plane a ring's rows begin as long ago
// as the pause, and a clock may step back. The table `late` has a bound for its file: no row is
// older by more than that than any row before it. A file without the table is of an earlier
// version, and may have any order. The bound is for rows up to that of the table `late_rows`: an
// earlier version, to which the box was put back, adds rows and leaves both tables as they are.
// Rows of a file are of two hours.
#define QUERY_SLACK_US INT64_C(30000000)
#define QUERY_SPAN_US  (2 * QUERY_HOUR_US)
#define QUERY_LATE_MAKE                                                                 \
	"BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS late(us INTEGER NOT NULL);"        \
	"INSERT INTO late SELECT CASE WHEN EXISTS (SELECT 1 FROM rows) THEN 7200000000" \
	" ELSE 30000000 END WHERE NOT EXISTS (SELECT 1 FROM late);"                     \
	"CREATE TABLE IF NOT EXISTS late_rows(id INTEGER NOT NULL);"                    \
	"INSERT INTO late_rows SELECT " QUERY_ROWS_MAX                                  \
	" WHERE NOT EXISTS (SELECT 1 FROM late_rows);"                                  \
	"UPDATE late SET us = 7200000000 WHERE NOT (" QUERY_LATE_HOLDS "); COMMIT"
#define QUERY_ROWS_MAX   "(SELECT coalesce(max(id), 0) FROM rows)"
#define QUERY_LATE       "SELECT us FROM late"
#define QUERY_LATE_HOLDS "SELECT coalesce(max(id), 0) >= " QUERY_ROWS_MAX " FROM late_rows"
#define QUERY_LATE_ROWS  "UPDATE late_rows SET id = " QUERY_ROWS_MAX
#define QUERY_LAST       "SELECT coalesce((SELECT time FROM rows ORDER BY id DESC LIMIT 1), -7200000000)"

// The bound that a file has, which is untrusted, within the possible ones.
static inline int64_t query_late_us(int64_t us)
{
	return us < QUERY_SLACK_US ? QUERY_SLACK_US : us < QUERY_SPAN_US ? us : QUERY_SPAN_US;
}

// A file of version 1 lacks this column. Rows written before the upgrade have no validation.
#define QUERY_VALIDATION_COLUMN "validation TEXT NOT NULL DEFAULT 'none'"

#define QUERY_VIEW                                                                             \
	"CREATE VIEW queries AS SELECT r.id AS id,"                                            \
	" (SELECT middle_us FROM file) + r.time AS time_us, r.weight AS weight, k.box AS box," \
	" c.address AS client, r.port & 65535 AS client_port, c.version AS client_version,"    \
	" c.name AS client_name, c.grp AS client_group, n.text AS qname, k.qtype AS qtype,"    \
	" k.qclass AS qclass, k.transport AS transport, k.verdict AS verdict, k.tier AS tier," \
	" k.rcode AS rcode, nullif(k.ede, 65535) AS ede, k.list AS list,"                      \
	" k.upstream AS upstream, k.answered AS answered, k.blocked AS blocked,"               \
	" r.dataplane_us AS dataplane_us, r.total_us AS total_us, r.query_len AS query_len,"   \
	" r.reply_len AS reply_len, k.validation AS validation"                                \
	" FROM rows r LEFT JOIN names n ON n.id = r.name"                                      \
	" LEFT JOIN clients c ON c.id = r.client LEFT JOIN kinds k ON k.id = r.kind;"

#define QUERY_SCHEMA                                                                              \
	"CREATE TABLE file(middle_us INTEGER NOT NULL);"                                          \
	"CREATE TABLE names(id INTEGER PRIMARY KEY, text TEXT NOT NULL);"                         \
	"CREATE TABLE clients(id INTEGER PRIMARY KEY, address TEXT NOT NULL, name TEXT NOT NULL," \
	" grp TEXT NOT NULL, version INTEGER NOT NULL);"                                          \
	"CREATE TABLE kinds(id INTEGER PRIMARY KEY, box TEXT NOT NULL, verdict TEXT NOT NULL,"    \
	" list TEXT NOT NULL, upstream TEXT NOT NULL, transport TEXT NOT NULL,"                   \
	" tier TEXT NOT NULL, qtype INTEGER NOT NULL, qclass INTEGER NOT NULL,"                   \
	" rcode INTEGER NOT NULL, ede INTEGER NOT NULL, answered INTEGER NOT NULL,"               \
	" blocked INTEGER NOT NULL, " QUERY_VALIDATION_COLUMN ");"                                \
	"CREATE TABLE rows(id INTEGER PRIMARY KEY, time INTEGER NOT NULL,"                        \
	" weight INTEGER NOT NULL, name INTEGER NOT NULL, client INTEGER NOT NULL,"               \
	" kind INTEGER NOT NULL, port INTEGER NOT NULL, dataplane_us INTEGER NOT NULL,"           \
	" total_us INTEGER NOT NULL, query_len INTEGER NOT NULL, reply_len INTEGER NOT NULL"      \
	");" QUERY_VIEW "PRAGMA application_id=0x77656972; PRAGMA user_version=2;"

// Upgrades a file of version 1, in one transaction.
#define QUERY_UPGRADE                                                                \
	"BEGIN IMMEDIATE; ALTER TABLE kinds ADD COLUMN " QUERY_VALIDATION_COLUMN ";" \
	"DROP VIEW queries;" QUERY_VIEW "PRAGMA user_version=2; COMMIT"
