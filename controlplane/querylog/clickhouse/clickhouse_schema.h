// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The tables of the query log in ClickHouse: creates missing tables, adds missing columns, and
// keeps the tables within hours and bytes (docs/how-to/clickhouse.md has them in full).
//
//   TABLE               rows, in the order of CLICKHOUSE_COLUMNS; MergeTree by day or hour
//                       from 23.3 on with codecs, skip indexes for client and name, and the
//                       columns `at` (DateTime64) and `client_ip` (IPv6), which the server derives
//   TABLE_minute        queries, microseconds and bytes by minute, box, verdict, ...; summed
//   TABLE_latency       queries by minute, box, tier and half powers of two of microseconds
//   TABLE_*_feed        the materialised views that fill the latter two
//   TABLE_limits        the limits of each box
//
// An existing table is unchanged except for missing columns, so that the operator may make it in
// another way: Replicated, or Distributed, into which inserts then wait for all its servers and
// whose hours are kept by these servers. Partitions are dropped whole; a server that has TTL keeps
// to the hours by itself too.
//
// Blocks, statement by statement; each fails on its own and is tried again by the next call.

#include "clickhouse_client.h"
#include "querylog/retention.h"

enum { CLICKHOUSE_BOX_TEXT = 64, CLICKHOUSE_REPLICATED_MAX = 320 };

struct clickhouse_schema_settings {
	char database[CLICKHOUSE_NAME_MAX], table[CLICKHOUSE_NAME_MAX]; // identifiers, checked
	bool by_hour;                                                   // partitions
	unsigned hours;                                                 // that rows are kept
	uint64_t max_bytes; // that rows may take; 0: any
	bool rollups;
	unsigned rollup_days;
};

struct clickhouse_limits { // the widest of all boxes
	bool are_known;
	unsigned boxes; // that left theirs, this one included
	unsigned twins; // of these, others of this one's name, in the last hours
	unsigned hours, rollup_days;
	uint64_t max_bytes;            // 0: any
	char box[CLICKHOUSE_BOX_TEXT]; // box of these hours; "": this one
};

struct clickhouse_schema {
	struct clickhouse_schema_settings settings;
	const char *box;      // this one's name; outlives this
	const char *instance; // of clickhouse_spool_instance; outlives this; "": unknown
	struct clickhouse_limits limits;
	struct retention retention;
	int64_t clock_ahead_s; // how far the clocks are ahead; 0: they are trusted
	uint64_t limits_at_ms; // when to read them again
	unsigned version;      // of the server, 1816 for 18.16; 0: not known
	bool is_distributed;
	bool has_peers; // the sender has other servers as well
	bool dedups;    // every table that holds rows knows blocks by their tokens
	char replicated[CLICKHOUSE_REPLICATED_MAX]; // same text: same table; "": not known
	uint64_t bytes;                             // that rows took when last looked
	uint64_t dropped_partitions;                // in all
};

// Makes what lacks. Not CLICKHOUSE_DONE: out->why.
ATTR_MUST_CHECK enum clickhouse_end clickhouse_schema_make(
	struct clickhouse_schema *s, struct clickhouse_client *c, struct clickhouse_answer *out);
// Drops what is too old or too much, a few partitions a call; `unix_s` is now.
ATTR_MUST_CHECK enum clickhouse_end clickhouse_schema_tidy(struct clickhouse_schema *s,
	struct clickhouse_client *c, int64_t unix_s, struct clickhouse_answer *out);

enum clickhouse_coding clickhouse_schema_coding(const struct clickhouse_schema *s);
// How many columns of these names and types the table has. They need not be
// this build's: rows of another build go there too.
enum clickhouse_there { CLICKHOUSE_NONE_THERE, CLICKHOUSE_SOME_THERE, CLICKHOUSE_ALL_THERE };
ATTR_MUST_CHECK enum clickhouse_end clickhouse_schema_has(const struct clickhouse_schema *s,
	struct clickhouse_client *c, const struct clickhouse_layout *l, enum clickhouse_there *has,
	struct clickhouse_answer *out);
// The INSERT into the columns of `l`, NULL: this build's; and further URL parameters.
void clickhouse_schema_insert(const struct clickhouse_schema *s, const struct clickhouse_layout *l,
	char sql[CLICKHOUSE_SQL_MAX]);
void clickhouse_schema_parameters(
	const struct clickhouse_schema *s, const char *query_id, char *out, size_t cap);
// How many rows of a chunk are there.
void clickhouse_schema_count(const struct clickhouse_schema *s, const char *box,
	const struct clickhouse_spooled *what, char sql[CLICKHOUSE_SQL_MAX]);
