// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A sink of the query log: rows to a ClickHouse server (docs/how-to/clickhouse.md).
//
//   log thread -> queue of CLICKHOUSE_QUEUE_MAX batches -> maker -> outbox -> sender -> server
//                                                                  memory, then disk
//
// The maker makes rows into chunks (clickhouse_chunk.h), the sender sends them
// (clickhouse_sender.h); both are threads of low priority. While the server is slow or away chunks
// wait in memory and on disk (clickhouse_outbox.h). When both are full and the server is away, the
// oldest on disk are deleted and counted. When the server accepts rows too slowly, or the disk
// accepts none, the maker waits and its queue fills; the weight of the batches that it does not
// take goes into those that it does (querylog.h).

#include "base/counts.h"
#include "clickhouse_sender.h"

enum {
	CLICKHOUSE_QUEUE_MAX = 12,
	CLICKHOUSE_MEMORY_MAX = 16 << 20, // compressed chunks in memory, in bytes
	CLICKHOUSE_STOP_MS = 2000,        // how long clickhouse_close waits for the last rows
	CLICKHOUSE_RETRY_MIN_MS = 1000,
	CLICKHOUSE_RETRY_MAX_MS = 30000,
	CLICKHOUSE_SETTLE_MS = 2000,
	CLICKHOUSE_TIDY_MS = 60000,
	CLICKHOUSE_HOLD_MS = 60000,
};

struct clickhouse_settings {
	struct clickhouse_client_settings client;
	struct clickhouse_schema_settings schema;
	const char *box;      // outlives the sink
	const char *folder;   // folder of the spool; copied
	const char *instance; // NULL: that of clickhouse_spool_instance. Outlives the sink
	uint64_t spool_max_bytes;
	unsigned flush_ms;
	// For tests. 0, NULL: the constants above, time(2) and the time of the start.
	uint64_t memory_max_bytes, run;
	unsigned retry_min_ms, retry_max_ms, settle_ms, tidy_ms, stop_ms, hold_ms;
	int64_t (*unix_s)(void);
};

struct clickhouse;

// Starts the threads; succeeds even if the server or the folder cannot be used. -ENOMEM, -EINVAL,
// -errno of creating a thread.
ATTR_MUST_CHECK int clickhouse_open(struct clickhouse **out, const struct clickhouse_settings *s);
// Sends waiting chunks for CLICKHOUSE_STOP_MS, keeps the rest on disk. After querylog_stop. NULL is
// fine.
void clickhouse_close(struct clickhouse *c);
// Any thread, one at a time: changes server, user, password, name servers, database, table, limits
// and flush_ms; box, folder and sizes stay. -ENOMEM, -EINVAL: nothing is changed.
ATTR_MUST_CHECK int clickhouse_reconfigure(
	struct clickhouse *c, const struct clickhouse_settings *s);
struct querylog_sink clickhouse_sink(struct clickhouse *c); // to be added to the log

#define CLICKHOUSE_COUNTS(X)                                                                  \
	X(FIRST, uint64_t, taken_rows, SAME, NONE, "Rows taken from the log.")                \
	X(FIRST, uint64_t, taken_weight, SAME, NONE, "Queries that these rows stand for.")    \
	X(FIRST, uint32_t, open_rows, SAME, NONE, "Rows of the chunk being made.")            \
	X(FIRST, uint32_t, wanted_rows, SAME, NONE, "Rows that this chunk may have.")         \
	X(FIRST, unsigned, rows_max, SAME, SAME, "Rows that a chunk may have.")               \
	X(FIRST, uint64_t, raw_bytes, SAME, NAMED("made_bytes_total"),                        \
		"Bytes of rows before compression.")                                          \
	X(FIRST, uint64_t, packed_bytes, SAME, TOTAL, "Bytes of rows after compression.")     \
	X(FIRST, uint64_t, buffer_bytes, SAME, SAME,                                          \
		"Bytes of the buffer in which weir makes chunks.")                            \
	X(FIRST, uint64_t, buffer_bytes_most, SAME, NONE, "Most bytes that this buffer had.") \
	X(FIRST, uint64_t, buffer_shrunk, SAME, NONE, "Times that this buffer shrank.")       \
	X(FIRST, unsigned, queued, SAME, SAME, "Batches that wait to be made into chunks.")   \
	X(FIRST, unsigned, queue_cap, SAME, NONE, "Most batches that can wait.")              \
	X(FIRST, uint64_t, refused, NONE, NAMED("refused_batches_total"),                     \
		"Batches refused because the queue was full.")                                \
	X(FIRST, bool, is_waiting, NAMED("waits_for_disk"), NONE,                             \
		"Whether weir waits for the disk.")                                           \
	X(FIRST, bool, is_behind, NAMED("behind"), NAMED("behind"),                           \
		"Whether the server accepts rows more slowly than they arrive.")

struct clickhouse_status {
	CLICKHOUSE_COUNTS(COUNT_FIELD)
	struct clickhouse_sender_status sender;
	struct clickhouse_outbox_counts outbox;
	uint64_t lost_rows, lost_weight; // lost in the maker: no memory, no room at shutdown
	uint64_t held_rows, held_weight; // rows in memory: queued, in a chunk, or in the outbox
	struct querylog_held all;        // rows in memory, and rows that any part of the sink lost
	uint64_t buffer_grown;
	uint64_t open_since_ms; // when the open chunk got its first row; 0: no chunk is open
	unsigned queued_most;
	uint64_t queued_since_ms, queue_bytes;
};
COUNTS(clickhouse_rows, struct clickhouse_status, "weir_clickhouse_", CLICKHOUSE_COUNTS)
// Any thread.
void clickhouse_status(struct clickhouse *c, struct clickhouse_status *out);
void clickhouse_tables(const struct clickhouse_status *s, struct table_registry *tables);
