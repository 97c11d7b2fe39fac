// SPDX-License-Identifier: BSD-3-Clause
#include "clickhouse_sender.h"

#include "clickhouse_outbox.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>
#include <weir/thread.h>

enum { TAKE_MS = 200 };

struct clickhouse_server { // the server behind one URL
	struct clickhouse_schema schema;
	bool is_ready;                     // the schema was made since contact began
	uint64_t contact_ms;               // since when the server answers; 0: it does not answer
	char tidy_why[CLICKHOUSE_WHY_MAX]; // why the server drops no partitions; "": it does
};

struct clickhouse_sender {
	struct clickhouse_sender_settings settings;
	pthread_t thread;
	pthread_mutex_t lock; // protects the fields below
	pthread_cond_t changed;
	bool is_ended;
	struct clickhouse_sender_status shown;
	struct clickhouse_client *next_client; // replaces `client` at the next try; NULL: no change
	struct clickhouse_schema_settings next_schema;

	_Atomic bool stop, is_closing;
	_Atomic bool is_renewed; // next_client is set
	_Atomic unsigned coding, rows_max;

	// Fields that the sender's thread alone uses.
	struct clickhouse_client *client;
	struct clickhouse_server server[CLICKHOUSE_URLS_MAX], *here; // here: the server in use
	unsigned urls;                                               // number of URLs
	unsigned taken_at; // number of the URL that took the last chunk, from 1 on; 0: no chunk yet
	unsigned tried;    // URLs tried without success since the last wait
	unsigned renewals; // changes of the settings since the start
	uint64_t settled_run; // the earlier run of the last chunk that is done; 0: no such run
	struct clickhouse_sender_status now;
	uint64_t backoff_ms, wait_ms; // wait_ms: before the next try; 0: no wait
	uint64_t retry_at_ms, tidy_at_ms;
	unsigned tidies;         // turns given to URLs that are not in use
	unsigned taken_in_a_row; // chunks taken since rows_max last changed
	bool was_cut;            // a chunk, since the server last took one
};

// The steps of the sender; a failure is logged under the name of its step.
enum step {
	STEP_SCHEMA,
	STEP_COLUMNS, // the columns of a file of another build are looked up
	STEP_COUNT,   // weir asks the server whether it has the chunk
	STEP_SIZE,    // the chunk is cut in two
	STEP_CODING,  // the chunk is compressed again
	STEP_INSERT,
};

static unsigned here_at(const struct clickhouse_sender *s)
{
	return (unsigned)(s->here - s->server);
}

static void show(struct clickhouse_sender *s)
{
	s->now.retry_at_ms = s->retry_at_ms;
	s->now.version = s->here->schema.version;
	s->now.is_distributed = s->here->schema.is_distributed;
	s->now.dedups = s->here->schema.dedups;
	s->now.table_bytes = s->here->schema.bytes;
	s->now.urls = s->urls;
	s->now.url_at = here_at(s) + 1;
	snprintf(s->now.url, sizeof(s->now.url), "%s", clickhouse_client_url(s->client));
	s->now.limits = s->here->schema.limits;
	s->now.clock_ahead_s = s->here->schema.clock_ahead_s;
	s->now.tidy_why[0] = '\0';
	for (unsigned i = 0; i < s->urls && !*s->now.tidy_why; i++)
		memcpy(s->now.tidy_why, s->server[i].tidy_why, sizeof(s->now.tidy_why));
	if (s->here->is_ready)
		atomic_store(&s->coding, clickhouse_schema_coding(&s->here->schema));
	pthread_mutex_lock(&s->lock);
	s->shown = s->now;
	pthread_mutex_unlock(&s->lock);
}

// Waits for `ms`, or until the sender is to end or has other settings.
static void sender_pause(struct clickhouse_sender *s, uint64_t ms)
{
	const struct timespec until = clock_deadline(ms);
	pthread_mutex_lock(&s->lock);
	while (!s->stop && !s->is_closing && !s->is_renewed)
		if (pthread_cond_timedwait(&s->changed, &s->lock, &until) == ETIMEDOUT)
			break;
	pthread_mutex_unlock(&s->lock);
}

// Records since when the server answers; every answer goes through here. An error without a code is
// that of a proxy, which may still hold a request, as the server's sockets may.
static void contact_note(struct clickhouse_sender *s, const struct clickhouse_answer *a)
{
	if (!a->status) {
		s->here->contact_ms = 0;
		s->here->is_ready = false;
	} else if (a->status != 200 && !a->code) {
		s->here->contact_ms = 0;
	} else if (!s->here->contact_ms) {
		s->here->contact_ms = clock_mono_ms();
	}
	if (a->code == CLICKHOUSE_NO_TABLE || a->code == CLICKHOUSE_NO_DATABASE
		|| a->code == CLICKHOUSE_NO_COLUMN)
		s->here->is_ready = false;
}

// Switches to `url`.
static void url_use(struct clickhouse_sender *s, unsigned url)
{
	s->here->contact_ms = 0; // what happens at the old server meanwhile is not seen
	s->here = &s->server[url];
	s->here->contact_ms = 0;
	clickhouse_client_use(s->client, url);
}

// Switches to the next URL; waits after the last URL of a round.
static void url_next(struct clickhouse_sender *s)
{
	s->wait_ms = 0;
	if (++s->tried >= s->urls) {
		s->tried = 0;
		s->backoff_ms = s->backoff_ms ? s->backoff_ms * 2 : s->settings.retry_min_ms;
		if (s->backoff_ms > s->settings.retry_max_ms)
			s->backoff_ms = s->settings.retry_max_ms;
		s->wait_ms = s->backoff_ms;
	}
	s->retry_at_ms = clock_mono_ms() + s->wait_ms;
	if (s->urls > 1)
		url_use(s, (here_at(s) + 1) % s->urls);
}

// `why` with the URL in use, if there are several.
static void why_with_url(
	const struct clickhouse_sender *s, const char *why, char text[CLICKHOUSE_WHY_MAX])
{
	if (s->urls > 1)
		snprintf(text, CLICKHOUSE_WHY_MAX, "%.64s: %.100s",
			clickhouse_client_url(s->client), why);
	else
		snprintf(text, CLICKHOUSE_WHY_MAX, "%.170s", why);
}

// Notes that a try failed. The next try asks the next URL, at once, or after a wait if all were
// tried. `stays`: the next try asks this URL, at once.
static void attempt_failed(struct clickhouse_sender *s, enum step step, const char *why, bool stays)
{
	static const char *const names[] = {
		[STEP_SCHEMA] = "schema",
		[STEP_COLUMNS] = "columns",
		[STEP_COUNT] = "count",
		[STEP_SIZE] = "size",
		[STEP_CODING] = "coding",
		[STEP_INSERT] = "insert",
	};
	char text[CLICKHOUSE_WHY_MAX];
	why_with_url(s, why, text);
	s->now.failures++;
	if (!s->now.is_failing)
		log_warning("clickhouse: %s: %s", names[step], text);
	snprintf(s->now.why, sizeof(s->now.why), "%.20s: %.170s", names[step], text);
	s->now.is_failing = true;
	s->now.is_up = false;
	s->wait_ms = 0;
	if (!stays)
		url_next(s);
	show(s);
}

static void attempt_succeeded(struct clickhouse_sender *s)
{
	if (s->now.is_failing && s->urls > 1)
		log_info("clickhouse: %s is up", clickhouse_client_url(s->client));
	else if (s->now.is_failing)
		log_info("clickhouse: up again");
	s->backoff_ms = s->wait_ms = 0;
	s->tried = 0;
	s->now.is_failing = false;
	s->now.is_up = true;
	s->now.why[0] = '\0';
	show(s);
}

static enum clickhouse_end schema_make(struct clickhouse_sender *s, struct clickhouse_answer *a)
{
	if (s->here->is_ready)
		return CLICKHOUSE_DONE;
	enum clickhouse_end end = clickhouse_schema_make(&s->here->schema, s->client, a);
	contact_note(s, a);
	s->here->is_ready = end == CLICKHOUSE_DONE;
	return end;
}

static void servers_begin(
	struct clickhouse_sender *s, const struct clickhouse_schema_settings *schema)
{
	s->urls = clickhouse_client_urls(s->client);
	s->here = s->server;
	s->tried = s->taken_at = 0;
	for (unsigned i = 0; i < s->urls; i++) {
		s->server[i].schema.settings = *schema;
		s->server[i].schema.box = s->settings.box;
		s->server[i].schema.instance = s->settings.instance;
		s->server[i].schema.has_peers = s->urls > 1;
		s->server[i].is_ready = false;
		s->server[i].contact_ms = 0;
		s->server[i].tidy_why[0] = '\0';
	}
}

// Activates the settings that clickhouse_sender_reconfigure left.
static void settings_renew(struct clickhouse_sender *s)
{
	if (!s->is_renewed)
		return;
	pthread_mutex_lock(&s->lock);
	struct clickhouse_client *before = s->client;
	s->client = s->next_client;
	s->next_client = NULL;
	servers_begin(s, &s->next_schema);
	s->is_renewed = false;
	pthread_mutex_unlock(&s->lock);
	clickhouse_client_close(before);
	s->renewals++;
	s->backoff_ms = s->wait_ms = s->retry_at_ms = s->tidy_at_ms = 0;
}

// How the sender delivers a chunk from the outbox to the server.
//
// The server stores a chunk whole or not at all, because its rows are of one partition and one
// block. After an unclear end (a broken connection, an error, a chunk found in the spool of an
// earlier run) weir asks the server before it sends the chunk again: whether its insert still runs,
// by its query id, then how many of its rows the table has. A count of 0 is trusted only when the
// server has answered for `settle_ms` without a break, so that a request that waited in its sockets
// has begun by then. Servers from 22.3 on also recognise the chunk by its token.
//
// A server with only some of the rows distributes the table over others, of which one failed, or is
// a replica that lags. If each table of the rows recognises blocks by tokens (dedups of the
// schema), the chunk is sent again, whole, within CLICKHOUSE_TOKEN_MS of the first try: a server
// that has it stores nothing twice. Otherwise the missing rows are counted as partial.
//
// A failed chunk is tried again for ever, because the outbox is bounded; the wait doubles from
// retry_min_ms to retry_max_ms. A chunk whose body is at fault is tried CLICKHOUSE_BODY_TRIES
// times, then counted as refused and dropped. The schema is made before the first insert and
// whenever contact was lost or a table is gone.
//
// A chunk that is too large (status 413, of a server or of a proxy before it) is cut in two at
// once. If the reply with that status, or the connection, broke off during the body, weir first
// asks the server whether it has the chunk. CLICKHOUSE_BROKEN_TRIES connections in a row that end
// during a chunk, of a server that answers in between, count as status 413. A single row that is
// still too large, or breaks every connection, is tried CLICKHOUSE_ALONE_TRIES times with waits,
// and only while the server takes statements: one that says 413 to everything costs no row, and no
// cut more. Waits after status 413 are CLICKHOUSE_ALONE_WAIT_MS at most, as other rows wait, too.
// Chunks to come are as large as the piece that was taken (clickhouse_sender_rows_max), and a
// quarter larger again after each CLICKHOUSE_GROW_AFTER that were taken.
//
// A chunk in a compression that the server's version does not know, because an older server
// replaced the one it was made for, is compressed again before it is sent. An error about the body
// of such a chunk makes the sender ask for the version again.
//
// With several URLs one is in use until an attempt fails; then the next one follows at once, with a
// pause after the last. A chunk of which a server may have rows goes to no other server until that
// server has confirmed that it has none. Another replica of the table may get it, because it knows
// the chunk's token. After hold_ms without a confirmation the chunk goes to the next server, and
// its rows are counted as uncertain.
//
// Rows of another build, from the spool, are sent by the names of their columns if the table has
// these columns, else put aside (clickhouse_outbox_refuse).

enum {
	HTTP_UNAUTHORIZED = 401,
	HTTP_FORBIDDEN = 403,
	HTTP_TOO_LARGE = 413,
	PARAMETERS_MAX = 256,
};

// The delivery state of one chunk.
struct delivery {
	struct clickhouse_parcel *parcel;
	const char *box;
	bool has_layout; // the body has the columns of `layout`, not those of this build
	struct clickhouse_layout layout;
	enum step step;                  // the step tried last
	struct clickhouse_places places; // servers that may have the chunk
	unsigned renewals;               // the sender's `renewals` when `places` was set
	unsigned failed_at; // URL, from 1 on, that may have taken the chunk; 0: no such URL
	bool moves;         // it is the next server's turn; the server in use did not fail
	bool is_uncertain;  // sent while another server might have it
	bool is_foreign;    // the table has no such columns
	bool is_unreadable; // the body does not match its head
	uint64_t missing, missing_weight; // rows that the server lacks and never gets
	uint64_t tried_ms;                // when this process first sent the chunk; 0: not yet
	unsigned body_tries;              // tries that ended with an error about the body
	unsigned broken_tries;            // tries in a row whose connection broke
	unsigned large_tries; // tries in a row with status 413, in a complete or broken reply
};

static enum clickhouse_end number_ask(
	struct clickhouse_sender *s, const char *sql, uint64_t *out, struct clickhouse_answer *a)
{
	enum clickhouse_end end = clickhouse_ask(s->client, sql, a);
	contact_note(s, a);
	if (end == CLICKHOUSE_DONE)
		*out = strtoull(a->text, NULL, 10);
	return end;
}

// Asks how many rows of the chunk the server has, once no insert of it runs any more.
static enum clickhouse_end count_ask(struct clickhouse_sender *s, const struct delivery *d,
	uint64_t *rows, struct clickhouse_answer *a)
{
	char sql[CLICKHOUSE_SQL_MAX], id[CLICKHOUSE_QUERY_ID_MAX];
	const struct clickhouse_spooled *what = &d->parcel->what;
	uint64_t running = 0;
	clickhouse_query_id(d->box, &what->chunk, id);
	snprintf(
		sql, sizeof(sql), "SELECT count() FROM system.processes WHERE query_id = '%s'", id);
	enum clickhouse_end end = number_ask(s, sql, &running, a);
	if (end == CLICKHOUSE_DONE && running) {
		snprintf(a->why, sizeof(a->why), "the insert still runs");
		return CLICKHOUSE_UNCLEAR;
	}
	if (end == CLICKHOUSE_DONE) {
		clickhouse_schema_count(&s->here->schema, d->box, what, sql);
		end = number_ask(s, sql, rows, a);
	}
	return end;
}

enum found { FOUND_NONE, FOUND_SOME, FOUND_ALL, FOUND_ERROR };

static enum found find(struct clickhouse_sender *s, const struct delivery *d, uint64_t *rows,
	enum clickhouse_end *end, struct clickhouse_answer *a)
{
	for (;;) {
		*rows = 0;
		*end = count_ask(s, d, rows, a);
		if (*end != CLICKHOUSE_DONE)
			return FOUND_ERROR;
		if (*rows >= d->parcel->what.rows)
			return FOUND_ALL;
		uint64_t settled_ms = clock_mono_ms() - s->here->contact_ms;
		if (settled_ms >= s->settings.settle_ms)
			return *rows ? FOUND_SOME : FOUND_NONE;
		if (s->stop || s->is_closing || s->is_renewed) {
			*end = CLICKHOUSE_UNCLEAR;
			snprintf(a->why, sizeof(a->why), "stopped");
			return FOUND_ERROR;
		}
		sender_pause(s, s->settings.settle_ms - settled_ms);
	}
}

// The server has some rows of the chunk: may it be sent again? False: the missing rows are lost.
static bool may_repeat(const struct clickhouse_sender *s, const struct delivery *d)
{
	return s->here->schema.dedups && d->tried_ms
	       && clock_mono_ms() - d->tried_ms < CLICKHOUSE_TOKEN_MS && !d->large_tries;
}

static void missing_lose(struct clickhouse_sender *s, struct delivery *d, uint64_t rows)
{
	const struct clickhouse_spooled *what = &d->parcel->what;
	d->missing = what->rows - rows;
	d->missing_weight =
		what->weight / what->rows * d->missing
		+ (what->weight % what->rows * d->missing + what->rows - 1) / what->rows;
	s->now.partial_rows += d->missing;
	s->now.partial_weight += d->missing_weight;
	log_warning("clickhouse: %llu of %u rows of a chunk are missing from the table and lost",
		(unsigned long long)d->missing, what->rows);
}

// Asks the server for the chunk. True: send it, whatever rows the server has. False: do not; *end
// says why.
static bool is_to_be_sent(struct clickhouse_sender *s, struct delivery *d, enum clickhouse_end *end,
	struct clickhouse_answer *a)
{
	uint64_t rows;
	enum found found = find(s, d, &rows, end, a);
	if (found == FOUND_ERROR)
		return false;
	if (found == FOUND_SOME && may_repeat(s, d)) {
		s->now.repeated_chunks++;
		return true;
	}
	if (found == FOUND_SOME)
		missing_lose(s, d, rows);
	s->now.found_chunks += found != FOUND_NONE;
	return found == FOUND_NONE;
}

static enum clickhouse_end insert(
	struct clickhouse_sender *s, const struct delivery *d, struct clickhouse_answer *a)
{
	char sql[CLICKHOUSE_SQL_MAX], id[CLICKHOUSE_QUERY_ID_MAX], parameters[PARAMETERS_MAX];
	const struct clickhouse_parcel *p = d->parcel;
	clickhouse_query_id(d->box, &p->what.chunk, id);
	clickhouse_schema_insert(&s->here->schema, d->has_layout ? &d->layout : NULL, sql);
	clickhouse_schema_parameters(&s->here->schema, id, parameters, sizeof(parameters));
	enum clickhouse_end end =
		clickhouse_insert(s->client, sql, id, parameters, &p->what, p->body, a);
	contact_note(s, a);
	return end;
}

// Asks whether the table has the columns of a body of another build. If it has none of them the
// table was dropped, and weir makes it again: the body is not at fault.
static enum clickhouse_end layout_ask(
	struct clickhouse_sender *s, struct delivery *d, struct clickhouse_answer *a)
{
	enum clickhouse_there has;
	if (!d->has_layout)
		return CLICKHOUSE_DONE;
	d->step = STEP_COLUMNS;
	enum clickhouse_end end =
		clickhouse_schema_has(&s->here->schema, s->client, &d->layout, &has, a);
	contact_note(s, a);
	if (end != CLICKHOUSE_DONE || has == CLICKHOUSE_ALL_THERE)
		return end;
	if (has == CLICKHOUSE_NONE_THERE) {
		s->here->is_ready = false;
		snprintf(a->why, sizeof(a->why), "the table has gone");
		return CLICKHOUSE_REFUSED;
	}
	d->is_foreign = true;
	snprintf(a->why, sizeof(a->why), "the table lacks columns of a file");
	return CLICKHOUSE_REFUSED;
}

// Compresses the chunk with gzip, which every version reads, if the server in use does not know its
// coding.
static enum clickhouse_end coding_fit(
	struct clickhouse_sender *s, struct delivery *d, struct clickhouse_answer *a)
{
	struct clickhouse_parcel *p = d->parcel;
	enum clickhouse_coding known = clickhouse_schema_coding(&s->here->schema);
	if (p->what.coding == CLICKHOUSE_GZIP || p->what.coding == known)
		return CLICKHOUSE_DONE;
	d->step = STEP_CODING;
	int rc = clickhouse_recode(&p->what, &p->body, known);
	if (rc == 0) {
		d->body_tries = 0;
		s->now.recoded_chunks++;
		return CLICKHOUSE_DONE;
	}
	d->is_unreadable = rc == -EBADMSG;
	snprintf(a->why, sizeof(a->why), "%s", strerror(-rc));
	return CLICKHOUSE_UNSENT;
}

// A server that answers everything else, but whose connection breaks during one body again and
// again, finds that body too large and its status 413 gets lost.
static bool is_cut_due(const struct delivery *d)
{
	return d->parcel->what.rows > 1
	       && (d->large_tries || d->broken_tries >= CLICKHOUSE_BROKEN_TRIES);
}

// Whether the chunk is a single row that was too large, or broke the connection, again and again.
static bool is_alone_too_large(const struct delivery *d)
{
	return d->parcel->what.rows < 2
	       && (d->large_tries >= CLICKHOUSE_ALONE_TRIES
		       || d->broken_tries >= CLICKHOUSE_ALONE_TRIES);
}

// Asks the server in use, which may have the chunk. False: do not send it; *end says why.
static bool is_asked(struct clickhouse_sender *s, struct delivery *d, enum clickhouse_end *end,
	struct clickhouse_answer *a)
{
	d->step = STEP_COUNT;
	if (!is_to_be_sent(s, d, end, a))
		return false;
	clickhouse_places_set(&d->places, here_at(s), false);
	d->step = STEP_SIZE;
	*end = CLICKHOUSE_REFUSED;
	if (is_cut_due(d) || is_alone_too_large(d))
		return false;
	d->moves = s->urls > 1 && d->failed_at == here_at(s) + 1;
	d->failed_at = 0;
	return !d->moves;
}

// A server that refuses the user has not read the rows.
static bool is_kept_out(const struct clickhouse_answer *a)
{
	return a->status == HTTP_UNAUTHORIZED || a->status == HTTP_FORBIDDEN
	       || a->code == CLICKHOUSE_WRONG_PASSWORD || a->code == CLICKHOUSE_REQUIRED_PASSWORD
	       || a->code == CLICKHOUSE_AUTHENTICATION_FAILED;
}

// Notes whether the server in use may have the chunk, after its answer to the insert or without
// one.
static void insert_mask(struct clickhouse_sender *s, struct delivery *d, enum clickhouse_end end,
	const struct clickhouse_answer *a)
{
	bool is_open = end == CLICKHOUSE_REFUSED || end == CLICKHOUSE_UNCLEAR;
	d->large_tries = is_open && a->status == HTTP_TOO_LARGE ? d->large_tries + 1 : 0;
	d->broken_tries = a->is_broken ? d->broken_tries + 1 : 0;
	// A complete reply of this kind means that the server did not store the chunk.
	if (end == CLICKHOUSE_REFUSED && (d->large_tries || is_kept_out(a)))
		is_open = false;
	clickhouse_places_set(&d->places, here_at(s), is_open);
	d->failed_at = is_open ? here_at(s) + 1 : 0;
}

// Any server may have a chunk that was in the spool at the start. Only the first chunk of an
// earlier run can have been on its way when that run ended; about later chunks weir asks only the
// server in use.
static void places_begin(
	struct clickhouse_places *p, const struct clickhouse_sender *s, uint64_t run)
{
	*p = (struct clickhouse_places){0};
	if (run == s->settings.run)
		return;
	if (run == s->settled_run)
		clickhouse_places_set(p, here_at(s), true);
	else
		clickhouse_places_all(p, s->urls);
}

// The servers with replicas of the table in use: they know each other's tokens for
// CLICKHOUSE_TOKEN_MS.
static uint32_t replicas_of(const struct clickhouse_sender *s, uint64_t tried_ms)
{
	const struct clickhouse_schema *here = &s->here->schema;
	uint32_t replicas = 0;
	if (!here->dedups || !*here->replicated || !tried_ms
		|| clock_mono_ms() - tried_ms >= CLICKHOUSE_TOKEN_MS)
		return 0;
	for (unsigned i = 0; i < s->urls; i++)
		if (strcmp(s->server[i].schema.replicated, here->replicated) == 0)
			replicas |= UINT32_C(1) << i;
	return replicas;
}

// Tries once to deliver the chunk.
static enum clickhouse_end attempt(
	struct clickhouse_sender *s, struct delivery *d, struct clickhouse_answer *a)
{
	d->step = STEP_SCHEMA;
	enum clickhouse_end end = schema_make(s, a);
	if (end == CLICKHOUSE_DONE)
		end = layout_ask(s, d, a);
	if (end != CLICKHOUSE_DONE)
		return end;
	if (clickhouse_places_is_at(&d->places, here_at(s)) && !is_asked(s, d, &end, a))
		return end;
	bool is_uncertain;
	if (!clickhouse_places_may_send(&d->places, here_at(s), replicas_of(s, d->tried_ms),
		    s->settings.hold_ms, &is_uncertain)) {
		d->moves = true;
		return CLICKHOUSE_UNCLEAR;
	}
	d->is_uncertain |= is_uncertain;
	end = coding_fit(s, d, a);
	if (end != CLICKHOUSE_DONE)
		return end;
	d->step = STEP_INSERT;
	if (!d->tried_ms)
		d->tried_ms = clock_mono_ms();
	end = insert(s, d, a);
	insert_mask(s, d, end, a);
	return end;
}

// Whether the error is about unreadable bytes: parsing, unpacking, the statement itself.
static bool is_about_body(const struct clickhouse_answer *a)
{
	static const unsigned codes[] = {
		6, 26, 27, 32, 33, 38, 41, 62, 69, 72, 89, 117, 131, 354, 432, 561};
	for (unsigned i = 0; i < ARRAY_LEN(codes); i++)
		if (a->code == codes[i])
			return true;
	return false;
}

// New chunks are as large as the piece that the server took, not as one that it refused: a server
// that refuses everything would make each row a file of the spool. They grow slowly.
static void rows_fit(struct clickhouse_sender *s, uint32_t rows)
{
	if (!s->was_cut)
		return;
	s->was_cut = false;
	s->taken_in_a_row = 0;
	if (rows < atomic_load(&s->rows_max))
		atomic_store(&s->rows_max, rows);
}

static void rows_grow(struct clickhouse_sender *s)
{
	unsigned most = atomic_load(&s->rows_max);
	if (most >= CLICKHOUSE_ROWS_MAX || ++s->taken_in_a_row < CLICKHOUSE_GROW_AFTER)
		return;
	s->taken_in_a_row = 0;
	most += most / 4 + 1;
	atomic_store(&s->rows_max, most < CLICKHOUSE_ROWS_MAX ? most : CLICKHOUSE_ROWS_MAX);
}

static void chunk_drop(struct clickhouse_sender *s, const struct delivery *d)
{
	const struct clickhouse_spooled *what = &d->parcel->what;
	log_warning("clickhouse: server refuses %u rows; rows dropped", what->rows);
	s->now.refused_rows += what->rows;
	s->now.refused_weight += what->weight;
	// A server that takes no row is not up.
	if (!d->broken_tries && !d->large_tries)
		attempt_succeeded(s);
	clickhouse_outbox_done(s->settings.outbox, d->parcel);
}

// Cuts the chunk in two. True: the sender no longer owns it. False: it could not be cut now.
static bool chunk_cut(struct clickhouse_sender *s, struct delivery *d)
{
	struct clickhouse_parcel *p = d->parcel;
	struct clickhouse_half half[2];
	uint32_t rows = p->what.rows;
	int rc = clickhouse_cut(p->origin ? p->origin->columns : NULL, &p->what, p->body, half);
	if (rc == -EBADMSG || rc == -E2BIG) {
		clickhouse_outbox_refuse(s->settings.outbox, p);
		return true;
	}
	if (rc == 0) {
		rc = clickhouse_outbox_cut(s->settings.outbox, p, half);
		if (rc) {
			FREE_AND_NULL(half[0].body);
			FREE_AND_NULL(half[1].body);
		}
	}
	if (rc) {
		attempt_failed(s, STEP_SIZE, strerror(-rc), false);
		return false;
	}
	uint64_t n = ++s->now.cut_chunks;
	if ((n & (n - 1)) == 0)
		log_warning("clickhouse: server refuses %u rows as too large; sending them as two "
			    "halves",
			rows);
	s->was_cut = true;
	return true;
}

static void accepted(struct clickhouse_sender *s, const struct delivery *d)
{
	struct clickhouse_parcel *p = d->parcel;
	s->now.rows += p->what.rows - d->missing;
	s->now.weight += p->what.weight - d->missing_weight;
	s->now.chunks++;
	s->now.refused_in_a_row = 0;
	s->now.sent_unix_s = (uint64_t)time(NULL);
	unsigned at = here_at(s) + 1;
	s->now.failovers += s->taken_at && s->taken_at != at;
	s->taken_at = at;
	if (d->is_uncertain && clickhouse_places_is_elsewhere(&d->places, here_at(s))) {
		s->now.uncertain_rows += p->what.rows;
		s->now.uncertain_weight += p->what.weight;
		log_warning("clickhouse: %u rows may be stored on two servers: the first server "
			    "did not confirm the insert within %u s",
			p->what.rows, s->settings.hold_ms / 1000);
	}
	rows_fit(s, p->what.rows);
	rows_grow(s);
	attempt_succeeded(s);
	clickhouse_outbox_done(s->settings.outbox, p);
}

// The server takes statements, but not this row.
static void alone_hurry(struct clickhouse_sender *s, const struct delivery *d)
{
	if (!d->large_tries || d->parcel->what.rows > 1 || d->step != STEP_INSERT
		|| s->wait_ms <= CLICKHOUSE_ALONE_WAIT_MS)
		return;
	s->wait_ms = CLICKHOUSE_ALONE_WAIT_MS;
	s->retry_at_ms = clock_mono_ms() + s->wait_ms;
}

// Decides what follows a try that failed. True: the chunk is dealt with.
static bool failure_handle(struct clickhouse_sender *s, struct delivery *d, enum clickhouse_end end,
	const struct clickhouse_answer *a)
{
	if (d->is_foreign || d->is_unreadable) {
		clickhouse_outbox_refuse(s->settings.outbox, d->parcel);
		return true;
	}
	if (d->moves) {
		d->moves = false;
		url_next(s);
		return false;
	}
	if (is_alone_too_large(d) && !d->places.may_have) {
		s->now.too_large_rows++;
		chunk_drop(s, d);
		return true;
	}
	if (is_cut_due(d) && !d->places.may_have)
		return chunk_cut(s, d);
	s->now.unclear += end == CLICKHOUSE_UNCLEAR;
	// Whether the server refuses statements, too: then it is not the row.
	if (d->large_tries)
		s->here->is_ready = false;
	// If there are several URLs, weir first asks this server for its rows of the chunk.
	attempt_failed(s, d->step, a->why, s->urls > 1 && d->step == STEP_INSERT && d->failed_at);
	alone_hurry(s, d);
	// Such a code for another statement than the insert, for example on a damaged part, says
	// nothing about the body.
	if (end != CLICKHOUSE_REFUSED || d->step != STEP_INSERT || !is_about_body(a))
		return false;
	if (d->parcel->what.coding != CLICKHOUSE_GZIP)
		s->here->is_ready = false; // perhaps a server of another version replaced it
	if (++d->body_tries < CLICKHOUSE_BODY_TRIES)
		return false;
	s->now.refused_in_a_row++;
	memcpy(s->now.refused_why, s->now.why, sizeof(s->now.refused_why));
	chunk_drop(s, d);
	return true;
}

// Returns when the server has the chunk, or it was cut in two or dropped. False: the thread must
// end and give the chunk back.
static bool deliver(struct clickhouse_sender *s, struct clickhouse_parcel *p)
{
	struct clickhouse_answer a;
	struct delivery d = {.parcel = p,
		.box = p->origin ? p->origin->box : s->settings.box,
		.renewals = s->renewals};
	uint64_t run = p->what.chunk.run;
	places_begin(&d.places, s, run);
	d.has_layout = p->origin && strcmp(p->origin->columns, clickhouse_layout_own) != 0;
	// clickhouse_file_read has accepted the columns.
	if (d.has_layout
		&& clickhouse_layout_read(p->origin->columns, strlen(p->origin->columns), &d.layout)
			   < 0) {
		clickhouse_outbox_refuse(s->settings.outbox, p);
		return true;
	}
	for (;;) {
		settings_renew(s);
		if (d.renewals != s->renewals && (d.places.may_have | d.places.given_up))
			clickhouse_places_all(&d.places, s->urls);
		d.renewals = s->renewals;
		enum clickhouse_end end = attempt(s, &d, &a);
		if (end == CLICKHOUSE_DONE) {
			s->settled_run = run;
			accepted(s, &d);
			return true;
		}
		if (s->stop || s->is_closing)
			return false;
		if (s->is_renewed)
			continue;
		if (failure_handle(s, &d, end, &a)) {
			s->settled_run = run;
			return true;
		}
		if (!s->wait_ms)
			continue;
		clickhouse_outbox_failed(s->settings.outbox, p);
		sender_pause(s, s->wait_ms);
	}
}

// When each server drops its expired partitions.

// A round of tidies, in which each URL that is not in use has one turn.
enum { TIDIES_OF_A_ROUND = 10 };
static_assert((int)CLICKHOUSE_URLS_MAX <= (int)TIDIES_OF_A_ROUND);

static int64_t unix_now(const struct clickhouse_sender *s)
{
	return s->settings.unix_s ? s->settings.unix_s() : (int64_t)time(NULL);
}

static bool is_interrupted(const struct clickhouse_sender *s)
{
	return s->stop || s->is_closing || s->is_renewed;
}

// Tidies the server of s->here. It is no failure if a server that is not in use is away: it drops
// nothing.
static void server_tidy(struct clickhouse_sender *s, bool is_in_use)
{
	char text[CLICKHOUSE_WHY_MAX];
	struct clickhouse_answer a = {.status = 200};
	uint64_t dropped_before = s->here->schema.dropped_partitions;
	enum clickhouse_end end = schema_make(s, &a);
	if (is_interrupted(s))
		return;
	if (end == CLICKHOUSE_DONE)
		end = clickhouse_schema_tidy(&s->here->schema, s->client, unix_now(s), &a);
	why_with_url(s, a.why, text);
	if (end == CLICKHOUSE_DONE) {
		s->here->tidy_why[0] = '\0';
	} else if (is_in_use || end == CLICKHOUSE_REFUSED) {
		s->now.tidy_failures++;
		log_warning("clickhouse: could not drop expired partitions: %s", text);
		if (end == CLICKHOUSE_REFUSED)
			memcpy(s->here->tidy_why, text, sizeof(text));
	}
	s->now.dropped_partitions += s->here->schema.dropped_partitions - dropped_before;
	contact_note(s, &a);
}

// A server that is not in use may have rows of a failover. Chunks do not wait for it.
static void other_tidy(struct clickhouse_sender *s)
{
	const unsigned in_use = here_at(s), url = s->tidies % TIDIES_OF_A_ROUND;
	struct clickhouse_outbox_counts waiting;
	clickhouse_outbox_counts(s->settings.outbox, &waiting);
	if (waiting.chunks || waiting.spooled || is_interrupted(s))
		return;
	s->tidies++;
	if (url >= s->urls || url == in_use)
		return;
	url_use(s, url);
	clickhouse_client_share_time(s->client, true);
	server_tidy(s, false);
	clickhouse_client_share_time(s->client, false);
	url_use(s, in_use);
}

// Drops expired partitions, if it is time. False: it is not.
static bool partitions_expire(struct clickhouse_sender *s)
{
	uint64_t now_ms = clock_mono_ms();
	if (!s->here->is_ready || now_ms < s->tidy_at_ms || s->is_closing)
		return false;
	s->tidy_at_ms = now_ms + s->settings.tidy_ms;
	server_tidy(s, true);
	other_tidy(s);
	return true;
}

// Makes the schema while there is nothing to send, so that the tables exist before the first row
// and weir notices a server that is back.
static void idle(struct clickhouse_sender *s)
{
	struct clickhouse_answer a;
	uint64_t now_ms = clock_mono_ms();
	if (s->now.is_failing && now_ms >= s->retry_at_ms)
		s->here->is_ready = false;
	if (!s->here->is_ready && now_ms >= s->retry_at_ms) {
		if (schema_make(s, &a) == CLICKHOUSE_DONE)
			attempt_succeeded(s);
		else if (!s->stop && !s->is_closing)
			attempt_failed(s, STEP_SCHEMA, a.why, false);
	}
	show(s);
}

static void *sender_run(void *arg)
{
	struct clickhouse_sender *s = arg;
	thread_background();
	while (!s->stop) {
		struct clickhouse_parcel p;
		settings_renew(s);
		int rc = clickhouse_outbox_take(s->settings.outbox, TAKE_MS, &p);
		if (rc == 0 && !deliver(s, &p)) {
			clickhouse_outbox_give_back(s->settings.outbox, &p);
			break;
		}
		if (s->is_closing && (rc < 0 || s->now.is_failing))
			break;
		if (rc < 0)
			idle(s);
		if (rc < 0 && rc != -ENOENT)
			sender_pause(s, s->settings.retry_min_ms);
		if (partitions_expire(s))
			show(s);
	}
	show(s);
	pthread_mutex_lock(&s->lock);
	s->is_ended = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

static void sender_free(struct clickhouse_sender *s)
{
	clickhouse_client_close(s->client);
	clickhouse_client_close(s->next_client);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	heap_free(s);
}

int clickhouse_sender_open(
	struct clickhouse_sender **out, const struct clickhouse_sender_settings *settings)
{
	struct clickhouse_sender *s = heap_calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	pthread_mutex_init(&s->lock, NULL);
	thread_cond_init(&s->changed);
	s->settings = *settings;
	atomic_store(&s->rows_max, CLICKHOUSE_ROWS_MAX);
	struct clickhouse_client_settings client = settings->client;
	client.post.stop = &s->stop;
	int rc = clickhouse_client_open(&s->client, &client);
	// clickhouse_client_open has copied the caller's texts.
	s->settings.client = (struct clickhouse_client_settings){0};
	if (rc == 0) {
		servers_begin(s, &settings->schema);
		rc = thread_start(&s->thread, "weir-ch-send", sender_run, s);
	}
	if (rc) {
		sender_free(s);
		return rc;
	}
	*out = s;
	return 0;
}

void clickhouse_sender_close(struct clickhouse_sender *s, unsigned within_ms)
{
	if (!s)
		return;
	const struct timespec until = clock_deadline(within_ms);
	pthread_mutex_lock(&s->lock);
	s->is_closing = true;
	pthread_cond_broadcast(&s->changed);
	while (!s->is_ended)
		if (pthread_cond_timedwait(&s->changed, &s->lock, &until) == ETIMEDOUT)
			break;
	s->stop = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	sender_free(s);
}

int clickhouse_sender_reconfigure(struct clickhouse_sender *s,
	const struct clickhouse_client_settings *client,
	const struct clickhouse_schema_settings *schema)
{
	struct clickhouse_client_settings settings = *client;
	struct clickhouse_client *next;
	settings.post.stop = &s->stop;
	int rc = clickhouse_client_open(&next, &settings);
	if (rc)
		return rc;
	pthread_mutex_lock(&s->lock);
	struct clickhouse_client *unused = s->next_client;
	s->next_client = next;
	s->next_schema = *schema;
	s->is_renewed = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	clickhouse_client_close(unused);
	return 0;
}

enum clickhouse_coding clickhouse_sender_coding(const struct clickhouse_sender *s)
{
	return (enum clickhouse_coding)atomic_load(&s->coding);
}

unsigned clickhouse_sender_rows_max(const struct clickhouse_sender *s)
{
	return atomic_load(&s->rows_max);
}

void clickhouse_sender_status(struct clickhouse_sender *s, struct clickhouse_sender_status *out)
{
	pthread_mutex_lock(&s->lock);
	*out = s->shown;
	pthread_mutex_unlock(&s->lock);
	uint64_t now_ms = clock_mono_ms();
	out->retry_in_ms =
		out->is_failing && out->retry_at_ms > now_ms ? out->retry_at_ms - now_ms : 0;
}
