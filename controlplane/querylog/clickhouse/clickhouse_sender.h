// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The thread that brings chunks from the outbox to the server, each once
// (docs/how-to/clickhouse.md).
//
// An insert of a chunk is all or nothing, for its rows are of one partition and one block. After an
// end that leaves open whether the server took it the chunk is counted there before it is sent
// again. A failed chunk is tried again after retry_min_ms, doubling, to retry_max_ms; for ever, as
// the outbox is bounded. Of several URLs one is in use until an attempt fails. Chunks to come are
// made half as large as one that was too large (clickhouse_sender_rows_max), and a quarter larger
// again after each CLICKHOUSE_GROW_AFTER that were taken.

#include "clickhouse_outbox.h"
#include "clickhouse_schema.h"

enum {
	CLICKHOUSE_BODY_TRIES = 5,
	CLICKHOUSE_BROKEN_TRIES = 4,
	CLICKHOUSE_ALONE_TRIES = 20,
	CLICKHOUSE_GROW_AFTER = 32,
	CLICKHOUSE_TOKEN_MS = 1800000, // a server is trusted to know a token for this time
};

struct clickhouse_sender_settings {
	struct clickhouse_client_settings client; // its `stop` is the sender's own
	struct clickhouse_schema_settings schema;
	const char *box, *instance;
	uint64_t run;
	struct clickhouse_outbox *outbox;
	unsigned retry_min_ms, retry_max_ms, settle_ms, tidy_ms, hold_ms;
	int64_t (*unix_s)(void); // NULL: time(2)
};

struct clickhouse_sender;

// Starts the thread. -ENOMEM, -EINVAL (a URL or name too long), -errno of creating it.
ATTR_MUST_CHECK int clickhouse_sender_open(
	struct clickhouse_sender **out, const struct clickhouse_sender_settings *s);
// The outbox is closed: sends waiting chunks for `within_ms` at most, until one fails, and gives
// back the rest. NULL is fine.
void clickhouse_sender_close(struct clickhouse_sender *s, unsigned within_ms);
// Any thread, at most one at a time: from its next attempt on the sender uses these. After an
// unclear end it then asks the new server for the chunk. -ENOMEM, -EINVAL: it goes on as before.
ATTR_MUST_CHECK int clickhouse_sender_reconfigure(struct clickhouse_sender *s,
	const struct clickhouse_client_settings *client,
	const struct clickhouse_schema_settings *schema);
enum clickhouse_coding clickhouse_sender_coding(const struct clickhouse_sender *s);

struct clickhouse_sender_status {
	bool is_up, is_failing;               // neither: it has not tried yet
	char why[CLICKHOUSE_WHY_MAX];         // of the last failure, "" when up
	char refused_why[CLICKHOUSE_WHY_MAX]; // of the last chunk that was refused for its rows
	uint64_t retry_at_ms, retry_in_ms;    // of the next try, monotonic; from the look on
	unsigned version;                     // of the server, 1816: 18.16
	bool is_distributed, dedups;
	uint64_t rows, weight, chunks; // the server has them
	uint64_t found_chunks;         // of these, found there instead of sent again
	uint64_t failures, unclear;    // attempts that failed; of these, with an unclear end
	uint64_t repeated_chunks;      // sent again whole, because the server had some of the rows
	uint64_t refused_rows, refused_weight;     // lost so
	uint64_t refused_in_a_row;                 // chunks, since one was accepted
	uint64_t partial_rows, partial_weight;     // of chunks stored in part; the weight by share
	uint64_t cut_chunks;                       // too large, sent in two
	uint64_t recoded_chunks;                   // compressed again for an older server
	uint64_t too_large_rows;                   // of refused_rows: too large alone
	uint64_t uncertain_rows, uncertain_weight; // that two servers may have
	char url[CLICKHOUSE_URL_MAX];              // in use
	unsigned url_at, urls;                     // its place in the list, from 1 on
	uint64_t failovers;                        // chunks taken by another URL than the last one
	uint64_t sent_unix_s;                      // when the server last took a chunk; 0: never
	uint64_t tidy_failures, dropped_partitions, table_bytes;
	char tidy_why[CLICKHOUSE_WHY_MAX]; // a server refuses to drop partitions; "": none does
	struct clickhouse_limits limits;
	int64_t clock_ahead_s; // ahead of the newest rows; 0: the clocks are trusted
};
// Any thread. Rows that a chunk may have, lowered when one was too large. Any thread.
unsigned clickhouse_sender_rows_max(const struct clickhouse_sender *s);
void clickhouse_sender_status(struct clickhouse_sender *s, struct clickhouse_sender_status *out);
