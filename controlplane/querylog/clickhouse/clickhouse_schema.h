// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The tables of the query log in ClickHouse: creates missing tables, adds missing columns, and
// keeps the tables within hours and bytes (docs/how-to/clickhouse.md).
//
//   TABLE               rows, in the order of CLICKHOUSE_COLUMNS; MergeTree by day or hour
//                       from 23.3 on with codecs, skip indexes for client and name, and the
//                       columns `at` (DateTime64) and `client_ip` (IPv6), which the server derives
//   TABLE_minute        queries, microseconds and bytes by minute, box, verdict, ...; summed
//   TABLE_latency       queries by minute, box, tier and half powers of two of microseconds
//   TABLE_*_feed        the materialised views that fill TABLE_minute and TABLE_latency
//   TABLE_limits        the limits of each box
//
// weir changes an existing table only by adding missing columns, so the operator may make it
// Replicated or Distributed. An insert into a Distributed table waits for all its servers, which
// keep the hours themselves. Partitions are dropped whole; a server with TTL also drops rows by
// itself.
//
// These functions block. Each statement fails on its own, and the next call tries it again.

#include "clickhouse_client.h"
#include "querylog/retention.h"

enum { CLICKHOUSE_BOX_TEXT = 64, CLICKHOUSE_REPLICATED_MAX = 320 };

struct clickhouse_schema_settings {
	char database[CLICKHOUSE_NAME_MAX], table[CLICKHOUSE_NAME_MAX]; // identifiers, checked
	bool by_hour;       // partitions are hours; else days
	unsigned hours;     // hours that rows are kept
	uint64_t max_bytes; // bytes that rows may take; 0: no limit
	bool rollups;
	unsigned rollup_days;
};

struct clickhouse_limits { // the widest of all boxes
	bool are_known;
	unsigned boxes; // boxes that write the table, this box included
	unsigned twins; // other boxes with this box's name, seen in the last hours
	unsigned hours, rollup_days;
	uint64_t max_bytes;            // 0: no limit
	char box[CLICKHOUSE_BOX_TEXT]; // box that wants `hours`; "": this box
};

struct clickhouse_schema {
	struct clickhouse_schema_settings settings;
	const char *box;      // this box's name; outlives the schema
	const char *instance; // clickhouse_spool_instance; outlives the schema; "": unknown
	struct clickhouse_limits limits;
	struct retention retention;
	int64_t clock_ahead_s; // how far the clocks are ahead; 0: they are trusted
	uint64_t limits_at_ms; // when to read `limits` again
	unsigned version;      // version of the server, 1816 for 18.16; 0: not known
	bool is_distributed;
	bool has_peers; // the sender has other servers too
	bool dedups;    // every table that holds rows recognises blocks by their tokens
	char replicated[CLICKHOUSE_REPLICATED_MAX]; // servers with equal text have one replicated
						    // table; "": not known
	uint64_t bytes;                             // bytes that rows took at the last tidy
	uint64_t dropped_partitions;                // since the start
};

// Makes missing tables, columns and views. If it returns another value than CLICKHOUSE_DONE,
// out->why says why.
ATTR_MUST_CHECK enum clickhouse_end clickhouse_schema_make(
	struct clickhouse_schema *s, struct clickhouse_client *c, struct clickhouse_answer *out);
// Drops partitions that are too old or take too many bytes, a few a call. `unix_s`: the time.
ATTR_MUST_CHECK enum clickhouse_end clickhouse_schema_tidy(struct clickhouse_schema *s,
	struct clickhouse_client *c, int64_t unix_s, struct clickhouse_answer *out);

enum clickhouse_coding clickhouse_schema_coding(const struct clickhouse_schema *s);
// Whether the table has all, some or none of the columns of `l`, by name and type. They may be
// those of another build, whose rows weir sends too.
enum clickhouse_there { CLICKHOUSE_NONE_THERE, CLICKHOUSE_SOME_THERE, CLICKHOUSE_ALL_THERE };
ATTR_MUST_CHECK enum clickhouse_end clickhouse_schema_has(const struct clickhouse_schema *s,
	struct clickhouse_client *c, const struct clickhouse_layout *l, enum clickhouse_there *has,
	struct clickhouse_answer *out);
// The INSERT into the columns of `l` (NULL: this build's), and further URL parameters.
void clickhouse_schema_insert(const struct clickhouse_schema *s, const struct clickhouse_layout *l,
	char sql[CLICKHOUSE_SQL_MAX]);
void clickhouse_schema_parameters(
	const struct clickhouse_schema *s, const char *query_id, char *out, size_t cap);
// The SELECT that counts the rows of a chunk in the table.
void clickhouse_schema_count(const struct clickhouse_schema *s, const char *box,
	const struct clickhouse_spooled *what, char sql[CLICKHOUSE_SQL_MAX]);
