// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The thread that brings chunks from the outbox to the server, each once
// (docs/how-to/clickhouse.md).
//
// The server stores a chunk whole or not at all, because its rows are of one partition and one
// block. After an unclear end weir counts the rows of the chunk in the table before it sends it
// again. A failed chunk is tried again for ever, because the outbox is bounded; the wait doubles
// from retry_min_ms to retry_max_ms. With several URLs one is in use until an attempt fails. Later
// chunks are made as large as the first piece that was taken of one too large
// (clickhouse_sender_rows_max), and a quarter larger again after each CLICKHOUSE_GROW_AFTER.

#include "base/counts.h"
#include "clickhouse_outbox.h"
#include "clickhouse_schema.h"

enum {
	CLICKHOUSE_BODY_TRIES = 5,
	CLICKHOUSE_BROKEN_TRIES = 4,
	CLICKHOUSE_ALONE_TRIES = 20,
	CLICKHOUSE_ALONE_WAIT_MS = 250, // the most between tries with status 413
	CLICKHOUSE_GROW_AFTER = 32,
	CLICKHOUSE_TOKEN_MS = 1800000, // how long weir trusts a server to know a token
};

struct clickhouse_sender_settings {
	struct clickhouse_client_settings client; // the sender replaces `stop`
	struct clickhouse_schema_settings schema;
	const char *box, *instance;
	uint64_t run;
	struct clickhouse_outbox *outbox;
	unsigned retry_min_ms, retry_max_ms, settle_ms, tidy_ms, hold_ms;
	int64_t (*unix_s)(void); // NULL: time(2)
};

struct clickhouse_sender;

// Starts the thread. -ENOMEM, -EINVAL (a URL or name too long), -errno of creating the thread.
ATTR_MUST_CHECK int clickhouse_sender_open(
	struct clickhouse_sender **out, const struct clickhouse_sender_settings *s);
// After clickhouse_outbox_close: sends waiting chunks for `within_ms` at most, until one fails, and
// gives back the rest. NULL is fine.
void clickhouse_sender_close(struct clickhouse_sender *s, unsigned within_ms);
// Any thread, at most one at a time: the sender uses these settings from its next attempt on. After
// an unclear end it asks the new server for the chunk. -ENOMEM, -EINVAL: nothing is changed.
ATTR_MUST_CHECK int clickhouse_sender_reconfigure(struct clickhouse_sender *s,
	const struct clickhouse_client_settings *client,
	const struct clickhouse_schema_settings *schema);
enum clickhouse_coding clickhouse_sender_coding(const struct clickhouse_sender *s);

#define CLICKHOUSE_SENDER_COUNTS(X)                                                                \
	X(FIRST, uint64_t, retry_in_ms, SAME, NONE, "Time to the next try, from the look on.")     \
	X(FIRST, bool, is_distributed, NAMED("distributed"), NONE,                                 \
		"Whether the table is distributed.")                                               \
	X(FIRST, bool, dedups, NAMED("deduplicates"), NONE, "Whether the server deduplicates.")    \
	X(FIRST, uint64_t, rows, SAME, TOTAL, "Rows that ClickHouse has accepted.")                \
	X(FIRST, uint64_t, weight, SAME, NAMED("queries_total"),                                   \
		"Queries that these rows stand for.")                                              \
	X(FIRST, uint64_t, chunks, NAMED("inserts"), NAMED("inserts_total"),                       \
		"Chunks that ClickHouse has accepted.")                                            \
	X(FIRST, uint64_t, found_chunks, NAMED("found_inserts"), NAMED("found_inserts_total"),     \
		"Of these, chunks that weir found there and did not send again.")                  \
	X(FIRST, uint64_t, failures, SAME, TOTAL, "Attempts to send a chunk that failed.")         \
	X(FIRST, uint64_t, unclear, NAMED("unclear_ends"), NAMED("unclear_ends_total"),            \
		"Of these, attempts after which the server may have the chunk.")                   \
	X(FIRST, uint64_t, repeated_chunks, NAMED("repeated_inserts"),                             \
		NAMED("repeated_inserts_total"),                                                   \
		"Chunks sent again because the server had only some of their rows.")               \
	X(FIRST, uint64_t, refused_rows, SAME, TOTAL, "Rows that the server refused.")             \
	X(FIRST, uint64_t, refused_weight, SAME, NAMED("refused_queries_total"),                   \
		"Queries that these rows stand for.")                                              \
	X(FIRST, uint64_t, refused_in_a_row, SAME, NONE, "Chunks refused since one was accepted.") \
	X(FIRST, uint64_t, partial_rows, SAME, TOTAL,                                              \
		"Rows missing from chunks that the server has in part.")                           \
	X(FIRST, uint64_t, partial_weight, SAME, NAMED("partial_queries_total"),                   \
		"Queries that these rows stand for, at most.")                                     \
	X(FIRST, uint64_t, cut_chunks, NAMED("cut_inserts"), TOTAL,                                \
		"Chunks that were too large and that weir sent in two parts.")                     \
	X(FIRST, uint64_t, recoded_chunks, NAMED("recoded_inserts"), TOTAL,                        \
		"Chunks compressed again for an older server.")                                    \
	X(FIRST, uint64_t, too_large_rows, SAME, TOTAL,                                            \
		"Refused rows that were too large on their own.")                                  \
	X(FIRST, uint64_t, uncertain_rows, SAME, TOTAL,                                            \
		"Rows that two servers may have, a possible overcount.")                           \
	X(FIRST, uint64_t, uncertain_weight, SAME, NAMED("uncertain_queries_total"),               \
		"Queries that these rows stand for.")                                              \
	X(FIRST, unsigned, url_at, NAMED("url_number"), NONE,                                      \
		"Place of the URL in use in the list, from 1 on.")                                 \
	X(FIRST, unsigned, urls, SAME, NONE, "URLs in the list.")                                  \
	X(FIRST, uint64_t, failovers, SAME, TOTAL,                                                 \
		"Chunks that another URL accepted than the chunk before.")                         \
	X(FIRST, uint64_t, sent_unix_s, NONE, NAMED("sent_timestamp_seconds"),                     \
		"When the server last took a chunk; 0: never.")                                    \
	X(FIRST, uint64_t, tidy_failures, SAME, TOTAL, "Attempts to drop partitions that failed.") \
	X(FIRST, uint64_t, dropped_partitions, SAME, TOTAL, "Partitions dropped, oldest first.")   \
	X(FIRST, uint64_t, table_bytes, SAME, SAME, "Bytes of the table on the server's disk.")    \
	X(FIRST, int64_t, clock_ahead_s, SAME, NAMED("clock_ahead_seconds"),                       \
		"How far both clocks are ahead of the newest rows; 0: weir trusts the clocks.")

struct clickhouse_sender_status {
	CLICKHOUSE_SENDER_COUNTS(COUNT_FIELD)
	bool is_up, is_failing;               // neither: the sender has not tried yet
	char why[CLICKHOUSE_WHY_MAX];         // the last failure; "" when up
	char refused_why[CLICKHOUSE_WHY_MAX]; // why the last chunk was refused for its rows
	uint64_t retry_at_ms;                 // time of the next try, monotonic
	unsigned version;                     // version of the server, 1816 for 18.16
	char url[CLICKHOUSE_URL_MAX];         // the URL in use
	char tidy_why[CLICKHOUSE_WHY_MAX];    // why a server drops no partitions; "": no server
					      // refuses
	struct clickhouse_limits limits;
};
COUNTS(clickhouse_sender_rows, struct clickhouse_sender_status, "weir_clickhouse_",
	CLICKHOUSE_SENDER_COUNTS)
// Any thread: how many rows a chunk may have; lowered when a chunk was too large and a piece of it
// was taken.
unsigned clickhouse_sender_rows_max(const struct clickhouse_sender *s);
void clickhouse_sender_status(struct clickhouse_sender *s, struct clickhouse_sender_status *out);
