// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Shared by the files of the sender: clickhouse_sender.c has its thread, clickhouse_deliver.c
// delivers one chunk, clickhouse_place.c tracks the servers that may have it.

#include "clickhouse_sender.h"

#include <pthread.h>
#include <stdatomic.h>

struct clickhouse_server { // behind one URL
	struct clickhouse_schema schema;
	bool is_ready;                     // the schema was made since contact
	uint64_t contact_ms;               // since when the server answers; 0: it does not
	char tidy_why[CLICKHOUSE_WHY_MAX]; // it refuses to drop partitions; "": it does not
};

struct clickhouse_sender {
	struct clickhouse_sender_settings settings;
	pthread_t thread;
	pthread_mutex_t lock; // protects the fields below
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
	struct clickhouse_server server[CLICKHOUSE_URLS_MAX], *here; // here: in use
	unsigned urls;                                               // how many there are
	unsigned taken_at;    // the URL that took the last chunk, from 1 on; 0: none yet
	unsigned tried;       // of them without a success, since the last wait
	unsigned renewals;    // of the settings
	uint64_t settled_run; // the earlier run of which a chunk was last dealt with; 0: none
	struct clickhouse_sender_status now;
	uint64_t backoff_ms, wait_ms; // wait_ms: before the next try, 0: none
	uint64_t retry_at_ms, tidy_at_ms;
	unsigned tidies;         // turns of the URLs that are not in use
	unsigned taken_in_a_row; // chunks, since rows_max was another
};

// The steps of the sender; a failure is logged under the name of its step.
enum clickhouse_step {
	CLICKHOUSE_STEP_SCHEMA,
	CLICKHOUSE_STEP_COLUMNS, // of a file of another build
	CLICKHOUSE_STEP_COUNT,   // whether the server has the chunk already
	CLICKHOUSE_STEP_SIZE,    // the chunk is cut in two
	CLICKHOUSE_STEP_CODING,  // it is compressed again
	CLICKHOUSE_STEP_INSERT,
};

// Or until it is to end, or has other settings.
void clickhouse_sender_pause(struct clickhouse_sender *s, uint64_t ms);
// A try failed. The next one asks the next URL, at once, or after a wait where all were tried;
// `stays`: this one, at once.
void clickhouse_sender_failed(
	struct clickhouse_sender *s, enum clickhouse_step step, const char *why, bool stays);
// `why` with the URL in use, if there are several.
void clickhouse_sender_text(
	const struct clickhouse_sender *s, const char *why, char text[CLICKHOUSE_WHY_MAX]);
// On to that URL.
void clickhouse_sender_use(struct clickhouse_sender *s, unsigned url);
// On to the next URL; after the last one of a round with a wait.
void clickhouse_sender_next(struct clickhouse_sender *s);
static inline unsigned clickhouse_sender_at(const struct clickhouse_sender *s)
{
	return (unsigned)(s->here - s->server);
}
void clickhouse_sender_succeeded(struct clickhouse_sender *s);
// Every answer goes through here, so that it is known since when the server speaks.
void clickhouse_sender_heard(struct clickhouse_sender *s, const struct clickhouse_answer *a);
// Activates the settings that clickhouse_sender_reconfigure left.
void clickhouse_sender_renew(struct clickhouse_sender *s);

ATTR_MUST_CHECK enum clickhouse_end clickhouse_sender_schema(
	struct clickhouse_sender *s, struct clickhouse_answer *a);
// The servers that may have a chunk and have not answered yet.
struct clickhouse_places {
	uint32_t may_have; // a bit for each URL
	uint32_t given_up; // may have it too, no longer waited for, but asked in their turn
	uint64_t since_ms; // when another URL was wanted first; 0: not yet
};
static_assert(CLICKHOUSE_URLS_MAX <= 32);

// Of a chunk that was in the spool at the start: any server may have it. Only the first of an
// earlier run that is sent can have been on its way when that ended; for later ones only the server
// in use gets the query.
void clickhouse_places_begin(
	struct clickhouse_places *p, const struct clickhouse_sender *s, uint64_t run);
// Any server may have it.
void clickhouse_places_all(struct clickhouse_places *p, const struct clickhouse_sender *s);
// Whether the server in use may have it.
bool clickhouse_places_is_here(
	const struct clickhouse_places *p, const struct clickhouse_sender *s);
// Whether another one may have it.
bool clickhouse_places_is_elsewhere(
	const struct clickhouse_places *p, const struct clickhouse_sender *s);
void clickhouse_places_set_here(
	struct clickhouse_places *p, const struct clickhouse_sender *s, bool may_have);
// Whether the server in use may get the chunk, because no other one may have it. *is_uncertain: one
// of them may have it and did not answer within hold_ms, so its rows may be there twice.
bool clickhouse_places_may_send(struct clickhouse_places *p, const struct clickhouse_sender *s,
	uint64_t tried_ms, bool *is_uncertain);

// Returns when the server has the chunk, or it was cut in two or dropped. False: the thread must
// end and give the chunk back.
bool clickhouse_deliver(struct clickhouse_sender *s, struct clickhouse_parcel *p);
// Drops expired partitions, if it is time. False: it is not.
bool clickhouse_expire(struct clickhouse_sender *s);
