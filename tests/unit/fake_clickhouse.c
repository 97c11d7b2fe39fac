// SPDX-License-Identifier: BSD-3-Clause
#include "fake_clickhouse.h"

#include "../../controlplane/clickhouse_columns.h"
#include "unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

enum { BODY_MAX = 24 << 20 };

struct reader {
	const uint8_t *at, *end;
};

static uint64_t number(struct reader *r, unsigned octets)
{
	uint64_t v = 0;
	assert_true(r->end - r->at >= octets);
	for (unsigned i = 0; i < octets; i++)
		v |= (uint64_t)r->at[i] << 8 * i;
	r->at += octets;
	return v;
}

static void text(struct reader *r)
{
	uint64_t len = 0;
	for (unsigned shift = 0;; shift += 7) {
		uint64_t octet = number(r, 1);
		len |= (octet & 0x7f) << shift;
		if (!(octet & 0x80))
			break;
	}
	assert_true((uint64_t)(r->end - r->at) >= len);
	r->at += len;
}

struct row {
	uint64_t time_s, run, chunk, weight;
};

static struct row row_read(struct reader *r)
{
	struct row row = {.time_s = number(r, 4)};
	assert_true(number(r, 4) < 1000000);
	text(r);
	row.run = number(r, 8);
	row.chunk = number(r, 8);
	row.weight = number(r, 8);
	text(r);
	number(r, 2);
	for (unsigned i = 0; i < 3; i++)
		text(r);
	number(r, 4);
	for (unsigned i = 0; i < 5; i++)
		text(r);
	assert_true(number(r, 1) <= 1);
	assert_true(number(r, 1) <= 1);
	number(r, 2 + 4 - 4);
	number(r, 4);
	number(r, 8);
	number(r, 4);
	return row;
}

static size_t unpack(const struct fake_post_request *q, uint8_t *out)
{
	if (strcasestr(q->head, "Content-Encoding: zstd")) {
		size_t n = ZSTD_decompress(out, BODY_MAX, q->body, q->len);
		assert_false(ZSTD_isError(n));
		return n;
	}
	assert_non_null(strcasestr(q->head, "Content-Encoding: gzip"));
	z_stream z = {.next_in = (uint8_t *)(uintptr_t)q->body,
		.avail_in = (uInt)q->len,
		.next_out = out,
		.avail_out = BODY_MAX};
	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	inflateEnd(&z);
	return z.total_out;
}

static void chunk_add(struct fake_clickhouse *f, uint64_t run, uint64_t chunk, uint64_t rows)
{
	unsigned i = 0;
	while (i < f->chunks && (f->chunk[i].run != run || f->chunk[i].number != chunk))
		i++;
	if (i == f->chunks) {
		assert_true(f->chunks < FAKE_CHUNKS_MAX);
		f->chunks++;
		f->chunk[i].run = run;
		f->chunk[i].number = chunk;
		if (chunk <= f->last_number)
			f->was_out_of_order = true;
		f->last_number = chunk;
	}
	f->chunk[i].rows += rows;
}

static void rows_take(struct fake_clickhouse *f, const struct fake_post_request *q)
{
	uint8_t *body = malloc(BODY_MAX);
	assert_non_null(body);
	struct reader r = {body, body + unpack(q, body)};
	struct row first = {0}, row;
	uint64_t rows = 0;
	bool mixed = false;
	while (r.at < r.end) {
		row = row_read(&r);
		if (!rows++)
			first = row;
		mixed |= row.time_s / 3600 != first.time_s / 3600;
		assert_int_equal(row.run, first.run);
		assert_int_equal(row.chunk, first.chunk);
		f->weight += row.weight;
	}
	free(body);
	f->hours_mixed += mixed;
	f->rows += rows;
	chunk_add(f, first.run, first.chunk, rows);
}

static int error(char reply[1024], unsigned code, int status)
{
	snprintf(reply, 1024, "Code: %u, e.displayText() = DB::Exception: said %u, e.what() = x\n",
		code, code);
	return status;
}

static bool is_too_large(struct fake_clickhouse *f, const struct fake_post_request *q)
{
	if (!f->body_max)
		f->body_max = q->len * 3 / 4;
	return q->len > f->body_max;
}

static int insert(struct fake_clickhouse *f, const struct fake_post_request *q, char reply[1024])
{
	snprintf(f->last_insert, sizeof f->last_insert, "%s", q->head);
	enum fake_fault fault = f->choose ? f->choose(f) : f->fault;
	f->inserts++;
	if (!f->has_table)
		return error(reply, 60, 404);
	if (fault == FAKE_TOO_LARGE && !is_too_large(f, q))
		fault = FAKE_WELL;
	if (fault == FAKE_WELL || fault == FAKE_TAKEN_LOST || fault == FAKE_TAKEN_HALF
		|| fault == FAKE_TAKEN_ERROR || fault == FAKE_TAKEN_SILENT)
		rows_take(f, q);
	if (f->late_ms)
		usleep(f->late_ms * 1000);
	switch (fault) {
	case FAKE_ERROR:
		return error(reply, 999, 500);
	case FAKE_GATEWAY:
		strcpy(reply, "gateway time-out\n");
		return 504;
	case FAKE_TOO_LARGE:
		strcpy(reply, "request entity too large\n");
		return 413;
	case FAKE_DISK_FULL:
		return error(reply, 243, 500);
	case FAKE_BAD_BODY:
		return error(reply, 33, 500);
	case FAKE_TAKEN_ERROR:
		return error(reply, 241, 500);
	case FAKE_LOST:
	case FAKE_TAKEN_LOST:
		return FAKE_POST_CLOSE;
	case FAKE_TAKEN_HALF:
		return FAKE_POST_HALF;
	case FAKE_TAKEN_SILENT:
		return FAKE_POST_SILENT;
	default:
		return 200;
	}
}

static void count(struct fake_clickhouse *f, const char *sql, char reply[1024])
{
	uint64_t run, chunk, rows = 0;
	const char *at = strstr(sql, "run = ");
	assert_non_null(at);
	assert_int_equal(sscanf(at, "run = %" SCNu64 " AND chunk = %" SCNu64, &run, &chunk), 2);
	for (unsigned i = 0; i < f->chunks; i++)
		if (f->chunk[i].run == run && f->chunk[i].number == chunk)
			rows = f->chunk[i].rows;
	f->counts++;
	snprintf(reply, 1024, "%" PRIu64 "\n", rows);
}

static void columns(const struct fake_clickhouse *f, const char *sql, char reply[1024])
{
	if (strstr(sql, "AND NOT"))
		return;
#define X(name, type, is_word)                              \
	if (!f->lacks_column || strcmp(#name, "list") != 0) \
		strcat(reply, #name "\n");
	CLICKHOUSE_COLUMN_LIST(X)
#undef X
}

static int statement(struct fake_clickhouse *f, const char *sql, char reply[1024])
{
	if (strstr(sql, "SELECT version()"))
		snprintf(reply, 1024, "%s\n", f->version);
	else if (strstr(sql, "system.databases"))
		strcpy(reply, "1\n");
	else if (strstr(sql, "SELECT engine") && f->has_table)
		strcpy(reply, f->is_distributed ? "Distributed\n" : "MergeTree\n");
	else if (strstr(sql, "system.columns"))
		columns(f, sql, reply);
	else if (strstr(sql, "system.processes"))
		snprintf(reply, 1024, "%u\n", f->running);
	else if (strstr(sql, "SELECT partition"))
		strcpy(reply, f->parts);
	else if (strstr(sql, "DROP PARTITION"))
		snprintf(f->last_drop, sizeof f->last_drop, "%s", sql);
	else if (strstr(sql, "ADD COLUMN"))
		f->alters++, f->lacks_column = false;
	else if (strstr(sql, "CREATE TABLE"))
		f->creates++, f->has_table = true;
	else if (strstr(sql, "SELECT count()") && !f->has_table)
		return error(reply, 60, 404);
	else if (strstr(sql, "SELECT count()"))
		count(f, sql, reply);
	return 200;
}

static int answer(void *arg, const struct fake_post_request *q, char reply[1024])
{
	struct fake_clickhouse *f = arg;
	pthread_mutex_lock(&f->lock);
	int status;
	if (!f->choose && f->fault == FAKE_PASSWORD) {
		status = error(reply, 193, 401);
	} else if (!f->choose && f->fault == FAKE_FORBIDDEN) {
		strcpy(reply, "\033[31mno entry\n");
		status = 403;
	} else if (strstr(q->head, "query=INSERT")) {
		status = insert(f, q, reply);
	} else {
		char *sql = strndup((const char *)q->body, q->len);
		assert_non_null(sql);
		status = statement(f, sql, reply);
		free(sql);
	}
	pthread_mutex_unlock(&f->lock);
	return status;
}

void fake_clickhouse_start(struct fake_clickhouse *f)
{
	pthread_mutex_init(&f->lock, NULL);
	if (!f->version)
		f->version = "18.16.1";
	f->http.answer = answer;
	f->http.arg = f;
	fake_post_start(&f->http);
}

void fake_clickhouse_stop(struct fake_clickhouse *f)
{
	fake_post_stop(&f->http);
	pthread_mutex_destroy(&f->lock);
}
