// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the two files of the sender share: clickhouse_sender.c has its thread, clickhouse_deliver.c
// the way of one chunk.

#include "clickhouse_sender.h"

#include <pthread.h>
#include <stdatomic.h>

struct clickhouse_sender {
	struct clickhouse_sender_settings settings;
	pthread_t thread;
	pthread_mutex_t lock; // of what follows
	pthread_cond_t changed;
	bool is_ended;
	struct clickhouse_sender_status shown;
	struct clickhouse_client *next_client; // to be used from the next try on; NULL: as before
	struct clickhouse_schema_settings next_schema;

	_Atomic bool stop, is_closing;
	_Atomic bool is_renewed; // there is a next_client
	_Atomic unsigned coding, rows_max;

	// The thread's own.
	struct clickhouse_client *client;
	struct clickhouse_schema schema;
	struct clickhouse_sender_status now;
	bool is_ready;       // the schema was made since contact
	uint64_t contact_ms; // since when the server answers; 0: it does not
	uint64_t backoff_ms, retry_at_ms, tidy_at_ms;
	unsigned taken_in_a_row; // chunks, since rows_max was another
};

// What the sender tries, and what is told of it when that fails.
enum clickhouse_step {
	CLICKHOUSE_STEP_SCHEMA,
	CLICKHOUSE_STEP_COLUMNS, // of a file of another build
	CLICKHOUSE_STEP_COUNT,   // whether the server has the chunk already
	CLICKHOUSE_STEP_SIZE,    // the chunk is cut in two
	CLICKHOUSE_STEP_CODING,  // it is compressed anew
	CLICKHOUSE_STEP_INSERT,
};

// Or until it is to end, or has other settings.
void clickhouse_sender_pause(struct clickhouse_sender *s, uint64_t ms);
void clickhouse_sender_failed(
	struct clickhouse_sender *s, enum clickhouse_step step, const char *why);
void clickhouse_sender_succeeded(struct clickhouse_sender *s);
// Every answer goes through here, so that it is known since when the server speaks.
void clickhouse_sender_heard(struct clickhouse_sender *s, const struct clickhouse_answer *a);
// What was said to clickhouse_sender_reconfigure is so from here on.
void clickhouse_sender_renew(struct clickhouse_sender *s);

ATTR_MUST_CHECK enum clickhouse_end clickhouse_sender_schema(
	struct clickhouse_sender *s, struct clickhouse_answer *a);
// Until the chunk is with the server, cut in two, or given up. False: the thread is to end, and the
// chunk is to be given back.
bool clickhouse_deliver(struct clickhouse_sender *s, struct clickhouse_parcel *p);
