// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A ClickHouse server of the tests: as much of its HTTP interface as the sink uses, and faults on
// demand. It unpacks and reads what is inserted and keeps how many rows of which chunk it has, so
// that a row lost or taken twice shows.

#include "tests/unit/cp/http/fake_post.h"

enum { FAKE_CHUNKS_MAX = 4096 };

enum fake_fault {
	FAKE_WELL,
	FAKE_ERROR,        // 500, a code, nothing taken
	FAKE_DISK_FULL,    // 500, code 243
	FAKE_PASSWORD,     // 401 to every request
	FAKE_FORBIDDEN,    // 403 of a proxy to every request
	FAKE_GATEWAY,      // 504 of a proxy, nothing taken
	FAKE_LOST,         // closes after the body, nothing taken
	FAKE_TAKEN_LOST,   // takes the rows and closes
	FAKE_TAKEN_HALF,   // takes the rows, says half a reply
	FAKE_TAKEN_ERROR,  // takes the rows and says 500 (a view behind it failed)
	FAKE_TAKEN_SILENT, // takes the rows and says nothing
	FAKE_TAKEN_SOME,   // takes half of the rows, as one of two shards, and says 500
	FAKE_BAD_BODY,     // 500, code 33: the body is not to be read
	FAKE_TOO_LARGE,    // 413 of a proxy, for more than rows_most rows
	FAKE_TOO_LONG,     // the same, who closes instead of saying so
	FAKE_ALL_LARGE,    // 413 of a proxy to every request
	FAKE_FAULTS
};

struct fake_clickhouse {
	struct fake_post http;
	pthread_mutex_t lock;      // protects the fields below
	const char *version, *key; // key: the required password; NULL: any
	enum fake_fault fault;     // of inserts, but where all is said
	enum fake_fault (*choose)(struct fake_clickhouse *f); // NULL: `fault`
	void (*on_statement)(
		const char *sql); // sees each one; an INSERT of rows as its URL. Or NULL
	bool lacks_database, has_other_ttl;
	bool has_table, may_create, lacks_column, is_distributed;
	bool is_down;             // closes each connection without a word, takes nothing
	const char *path, *zxid;  // of a replicated table; NULL: it is none
	unsigned running;         // what system.processes says of a chunk
	unsigned late_ms;         // each answer to an insert comes so late
	unsigned count_code;      // what a question for a chunk ends with; 0: its answer
	uint64_t rows_most;       // of FAKE_TOO_LARGE and FAKE_TOO_LONG
	const char *gone, *extra; // a column that the table has no more; "name Type": one more
	uint64_t extra_sum;       // of what came in that column, of type UInt32
	uint64_t seed;
	unsigned chunks;
	struct {
		uint64_t run, number, rows, weight;
	} chunk[FAKE_CHUNKS_MAX];
	uint64_t rows, weight; // taken
	unsigned hours_mixed;  // inserts with rows of two hours
	unsigned inserts, counts, creates, alters, too_large;
	uint64_t last_number; // of the last insert that was taken, in last_run
	uint64_t last_run;
	bool was_out_of_order;
	bool dedups;             // knows chunks by their tokens, shard by shard
	unsigned lagging;        // so many counts are of a replica that has none of the rows yet
	unsigned drops;          // statements DROP PARTITION
	unsigned limits_code;    // what the table of limits ends with; 0: it is there
	char other_limits[128];  // of other boxes, a line as clickhouse_schema.c asks for it
	char newest[512];        // "now TAB partition" a line, the newest first; "": 2026112100
	char last_limits[512];   // the statement that left this box's
	char asked_limits[1024]; // the one that asked for those of others
	char last_create[8192];
	char last_insert[2048], last_drop[256], parts[512]; // heads; a reply to system.parts
	char future[512];      // the same to a question for partitions beyond a name
	char last_newest[512]; // the question that `newest` is a reply to
};

void fake_clickhouse_start(struct fake_clickhouse *f); // zeroed but for what the test set
void fake_clickhouse_stop(struct fake_clickhouse *f);
