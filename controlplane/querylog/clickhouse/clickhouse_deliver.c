// SPDX-License-Identifier: BSD-3-Clause
// A chunk from the outbox into the server: tried, counted there, cut, dropped.

#include "clickhouse_build.h"
#include "clickhouse_sender_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>

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
	bool has_layout; // it has these columns, not the present ones
	struct clickhouse_layout layout;
	enum clickhouse_step step;       // was tried last
	struct clickhouse_places places; // servers that may have it
	unsigned renewals;               // of the sender's settings, when they were found out
	unsigned failed_at;              // the URL, from 1 on, that did not say it took it; 0: none
	bool moves;                      // the next server's turn, which is no failure of this one
	bool is_uncertain;               // sent while another server might have it
	bool is_too_large;               // reported by a complete or broken answer
	bool is_foreign;                 // the table has no such columns
	bool is_unreadable;              // its body is not what it says
	uint64_t missing, missing_weight; // rows that the server has not, and never gets
	uint64_t tried_ms;                // when it was sent first, in this life; 0: not yet
	unsigned body_tries;              // that ended with a word about the body
	unsigned broken_tries;            // that ended with the connection, in a row
};

static enum clickhouse_end number_ask(
	struct clickhouse_sender *s, const char *sql, uint64_t *out, struct clickhouse_answer *a)
{
	enum clickhouse_end end = clickhouse_ask(s->client, sql, a);
	clickhouse_sender_heard(s, a);
	if (end == CLICKHOUSE_DONE)
		*out = strtoull(a->text, NULL, 10);
	return end;
}

// Rows of the chunk that the server has, when nothing more can come of an earlier try.
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
		clickhouse_sender_pause(s, s->settings.settle_ms - settled_ms);
	}
}

// Some rows of the chunk are there. False: the others are lost.
static bool may_repeat(const struct clickhouse_sender *s, const struct delivery *d)
{
	return s->here->schema.dedups && d->tried_ms
	       && clock_mono_ms() - d->tried_ms < CLICKHOUSE_TOKEN_MS && !d->is_too_large;
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

// True: whatever the server has of it, the chunk is to be sent. False: *end says what else.
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
	clickhouse_sender_heard(s, a);
	return end;
}

// A body of another build goes where its columns are, by their names. None of these at all: the
// table was dropped, which is no fault of the body; it is made again.
static enum clickhouse_end layout_ask(
	struct clickhouse_sender *s, struct delivery *d, struct clickhouse_answer *a)
{
	enum clickhouse_there has;
	if (!d->has_layout)
		return CLICKHOUSE_DONE;
	d->step = CLICKHOUSE_STEP_COLUMNS;
	enum clickhouse_end end =
		clickhouse_schema_has(&s->here->schema, s->client, &d->layout, &has, a);
	clickhouse_sender_heard(s, a);
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

// The server may not be the one that the chunk was made for: every version reads gzip.
static enum clickhouse_end coding_fit(
	struct clickhouse_sender *s, struct delivery *d, struct clickhouse_answer *a)
{
	struct clickhouse_parcel *p = d->parcel;
	enum clickhouse_coding known = clickhouse_schema_coding(&s->here->schema);
	if (p->what.coding == CLICKHOUSE_GZIP || p->what.coding == known)
		return CLICKHOUSE_DONE;
	d->step = CLICKHOUSE_STEP_CODING;
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

// A connection that ends under a body again and again, while the server answers all else, is what a
// body too large for it looks like where the word of that gets lost.
static bool is_cut_due(const struct delivery *d)
{
	return d->parcel->what.rows > 1
	       && (d->is_too_large || d->broken_tries >= CLICKHOUSE_BROKEN_TRIES);
}

// A row that is alone and still too large, or that the connection never stands.
static bool is_alone_too_large(const struct delivery *d)
{
	return d->parcel->what.rows < 2
	       && (d->is_too_large || d->broken_tries >= CLICKHOUSE_ALONE_TRIES);
}

// The server may have the chunk: asks it. False: do not send it; *end says why.
static bool is_asked(struct clickhouse_sender *s, struct delivery *d, enum clickhouse_end *end,
	struct clickhouse_answer *a)
{
	d->step = CLICKHOUSE_STEP_COUNT;
	if (!is_to_be_sent(s, d, end, a))
		return false;
	clickhouse_places_set_here(&d->places, s, false);
	d->step = CLICKHOUSE_STEP_SIZE;
	*end = CLICKHOUSE_REFUSED;
	if (is_cut_due(d) || is_alone_too_large(d))
		return false;
	d->moves = s->urls > 1 && d->failed_at == clickhouse_sender_at(s) + 1;
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

// Which part of the chunk the server in use may have after its answer, or none, to the insert.
static void insert_mask(struct clickhouse_sender *s, struct delivery *d, enum clickhouse_end end,
	const struct clickhouse_answer *a)
{
	bool is_open = end == CLICKHOUSE_REFUSED || end == CLICKHOUSE_UNCLEAR;
	d->is_too_large = is_open && a->status == HTTP_TOO_LARGE;
	d->broken_tries = a->is_broken ? d->broken_tries + 1 : 0;
	// A server that answers so, completely, did not pass the chunk on.
	if (end == CLICKHOUSE_REFUSED && (d->is_too_large || is_kept_out(a)))
		is_open = false;
	clickhouse_places_set_here(&d->places, s, is_open);
	d->failed_at = is_open ? clickhouse_sender_at(s) + 1 : 0;
}

// One try.
static enum clickhouse_end attempt(
	struct clickhouse_sender *s, struct delivery *d, struct clickhouse_answer *a)
{
	d->step = CLICKHOUSE_STEP_SCHEMA;
	enum clickhouse_end end = clickhouse_sender_schema(s, a);
	if (end == CLICKHOUSE_DONE)
		end = layout_ask(s, d, a);
	if (end != CLICKHOUSE_DONE)
		return end;
	if (clickhouse_places_is_here(&d->places, s) && !is_asked(s, d, &end, a))
		return end;
	bool is_uncertain;
	if (!clickhouse_places_may_send(&d->places, s, d->tried_ms, &is_uncertain)) {
		d->moves = true;
		return CLICKHOUSE_UNCLEAR;
	}
	d->is_uncertain |= is_uncertain;
	end = coding_fit(s, d, a);
	if (end != CLICKHOUSE_DONE)
		return end;
	d->step = CLICKHOUSE_STEP_INSERT;
	if (!d->tried_ms)
		d->tried_ms = clock_mono_ms();
	end = insert(s, d, a);
	insert_mask(s, d, end, a);
	return end;
}

// Is the error about unreadable bytes: parsing, unpacking, the statement itself?
static bool is_about_body(const struct clickhouse_answer *a)
{
	static const unsigned codes[] = {
		6, 26, 27, 32, 33, 38, 41, 62, 69, 72, 89, 117, 131, 354, 432, 561};
	for (unsigned i = 0; i < ARRAY_LEN(codes); i++)
		if (a->code == codes[i])
			return true;
	return false;
}

// New chunks are half as large as one that was too large, and grow slowly as the server accepts
// them.
static void rows_halve(struct clickhouse_sender *s, uint32_t rows)
{
	unsigned half = rows / 2 > 1 ? rows / 2 : 1;
	s->taken_in_a_row = 0;
	if (half < atomic_load(&s->rows_max))
		atomic_store(&s->rows_max, half);
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

static void give_up(struct clickhouse_sender *s, const struct delivery *d)
{
	const struct clickhouse_spooled *what = &d->parcel->what;
	log_warning("clickhouse: server refuses %u rows; rows dropped", what->rows);
	s->now.refused_rows += what->rows;
	s->now.refused_weight += what->weight;
	// A broken connection is no answer.
	if (!d->broken_tries)
		clickhouse_sender_succeeded(s);
	clickhouse_outbox_done(s->settings.outbox, d->parcel);
}

// True: it is the sender's no more. False: it could not be cut now.
static bool cut(struct clickhouse_sender *s, struct delivery *d)
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
		clickhouse_sender_failed(s, CLICKHOUSE_STEP_SIZE, strerror(-rc), false);
		return false;
	}
	uint64_t n = ++s->now.cut_chunks;
	if ((n & (n - 1)) == 0)
		log_warning("clickhouse: server refuses %u rows as too large; sending them as two "
			    "halves",
			rows);
	rows_halve(s, rows);
	return true;
}

static void taken(struct clickhouse_sender *s, const struct delivery *d)
{
	struct clickhouse_parcel *p = d->parcel;
	s->now.rows += p->what.rows - d->missing;
	s->now.weight += p->what.weight - d->missing_weight;
	s->now.chunks++;
	s->now.refused_in_a_row = 0;
	s->now.sent_unix_s = (uint64_t)time(NULL);
	unsigned at = clickhouse_sender_at(s) + 1;
	s->now.failovers += s->taken_at && s->taken_at != at;
	s->taken_at = at;
	if (d->is_uncertain && clickhouse_places_is_elsewhere(&d->places, s)) {
		s->now.uncertain_rows += p->what.rows;
		s->now.uncertain_weight += p->what.weight;
		log_warning("clickhouse: %u rows may be stored on two servers: the first server "
			    "did not confirm the insert within %u s",
			p->what.rows, s->settings.hold_ms / 1000);
	}
	rows_grow(s);
	clickhouse_sender_succeeded(s);
	clickhouse_outbox_done(s->settings.outbox, p);
}

// Behind a try that failed. True: the chunk is dealt with.
static bool settle(struct clickhouse_sender *s, struct delivery *d, enum clickhouse_end end,
	const struct clickhouse_answer *a)
{
	if (d->is_foreign || d->is_unreadable) {
		clickhouse_outbox_refuse(s->settings.outbox, d->parcel);
		return true;
	}
	if (d->moves) {
		d->moves = false;
		clickhouse_sender_next(s);
		return false;
	}
	if (is_alone_too_large(d) && !d->places.may_have) {
		s->now.too_large_rows++;
		give_up(s, d);
		return true;
	}
	if (is_cut_due(d) && !d->places.may_have)
		return cut(s, d);
	s->now.unclear += end == CLICKHOUSE_UNCLEAR;
	// With several URLs ask the server for its rows of the chunk before the next one is tried.
	clickhouse_sender_failed(s, d->step, a->why,
		s->urls > 1 && d->step == CLICKHOUSE_STEP_INSERT && d->failed_at);
	// A question that fails by such a code, as on a damaged part, says nothing about the body.
	if (end != CLICKHOUSE_REFUSED || d->step != CLICKHOUSE_STEP_INSERT || !is_about_body(a))
		return false;
	if (d->parcel->what.coding != CLICKHOUSE_GZIP)
		s->here->is_ready = false; // another server, of another version?
	if (++d->body_tries < CLICKHOUSE_BODY_TRIES)
		return false;
	s->now.refused_in_a_row++;
	memcpy(s->now.refused_why, s->now.why, sizeof(s->now.refused_why));
	give_up(s, d);
	return true;
}

bool clickhouse_deliver(struct clickhouse_sender *s, struct clickhouse_parcel *p)
{
	struct clickhouse_answer a;
	struct delivery d = {.parcel = p,
		.box = p->origin ? p->origin->box : s->settings.box,
		.renewals = s->renewals};
	uint64_t run = p->what.chunk.run;
	clickhouse_places_begin(&d.places, s, run);
	d.has_layout = p->origin && strcmp(p->origin->columns, clickhouse_layout_own) != 0;
	// The file's reader has accepted it.
	if (d.has_layout
		&& clickhouse_layout_read(p->origin->columns, strlen(p->origin->columns), &d.layout)
			   < 0) {
		clickhouse_outbox_refuse(s->settings.outbox, p);
		return true;
	}
	for (;;) {
		clickhouse_sender_renew(s);
		if (d.renewals != s->renewals && (d.places.may_have | d.places.given_up))
			clickhouse_places_all(&d.places, s);
		d.renewals = s->renewals;
		enum clickhouse_end end = attempt(s, &d, &a);
		if (end == CLICKHOUSE_DONE) {
			s->settled_run = run;
			taken(s, &d);
			return true;
		}
		if (s->stop || s->is_closing)
			return false;
		if (s->is_renewed)
			continue;
		if (settle(s, &d, end, &a)) {
			s->settled_run = run;
			return true;
		}
		if (!s->wait_ms)
			continue;
		clickhouse_outbox_failed(s->settings.outbox, p);
		clickhouse_sender_pause(s, s->wait_ms);
	}
}
