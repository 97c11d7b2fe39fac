// SPDX-License-Identifier: BSD-3-Clause
#include "fake_clickhouse.h"

#include "controlplane/querylog/clickhouse/clickhouse_chunk.h"
#include "controlplane/querylog/clickhouse/clickhouse_row.h"
#include "tests/unit/unit.h"

#include <inttypes.h>
#include <zlib.h>
#include <zstd.h>

enum { BODY_MAX = 24 << 20 };

struct reader {
	const uint8_t *at, *end;
};

static uint64_t number(struct reader *r, unsigned bytes)
{
	uint64_t v = 0;
	assert_true(r->end - r->at >= bytes);
	for (unsigned i = 0; i < bytes; i++)
		v |= (uint64_t)r->at[i] << 8 * i;
	r->at += bytes;
	return v;
}

static void text(struct reader *r)
{
	uint64_t len = 0;
	for (unsigned shift = 0;; shift += 7) {
		uint64_t byte = number(r, 1);
		len |= (byte & 0x7f) << shift;
		if (!(byte & 0x80))
			break;
	}
	assert_true((uint64_t)(r->end - r->at) >= len);
	r->at += len;
}

// Columns as an INSERT names them, in its order.
struct columns {
	unsigned count;
	struct {
		char name[40];
		const char *type;
	} column[64];
};

static const char *type_of(const struct fake_clickhouse *f, const char *name)
{
	size_t len = strlen(name);
	if (f->gone && strcmp(f->gone, name) == 0)
		return NULL;
	if (f->extra && strncmp(f->extra, name, len) == 0 && f->extra[len] == ' ')
		return f->extra + len + 1;
#define X(column, type, is_word)        \
	if (strcmp(#column, name) == 0) \
		return type;
	CLICKHOUSE_COLUMN_LIST(X)
#undef X
	return NULL;
}

// "...%28time%2Ctime_us%2C...%29..." False: the table has no such column.
static bool columns_read(const struct fake_clickhouse *f, const char *head, struct columns *out)
{
	const char *at = strstr(head, "%28");
	assert_non_null(at);
	out->count = 0;
	do {
		at += 3;
		size_t len = strcspn(at, "%");
		assert_true(len < sizeof(out->column[0].name) && out->count < 64);
		memcpy(out->column[out->count].name, at, len);
		out->column[out->count].name[len] = '\0';
		out->column[out->count].type = type_of(f, out->column[out->count].name);
		if (!out->column[out->count++].type)
			return false;
		at += len;
	} while (strncmp(at, "%2C", 3) == 0);
	return strncmp(at, "%29", 3) == 0;
}

struct row {
	uint64_t time_s, run, chunk, weight, extra;
};

static unsigned bytes_of(const char *type)
{
	if (strstr(type, "64"))
		return 8;
	return strstr(type, "32") || strstr(type, "Time") ? 4 : strstr(type, "16") ? 2 : 1;
}

static struct row row_read(
	const struct fake_clickhouse *f, const struct columns *c, struct reader *r)
{
	struct row row = {0};
	for (unsigned i = 0; i < c->count; i++) {
		const char *name = c->column[i].name;
		if (strcmp(c->column[i].type, "String") == 0) {
			text(r);
			continue;
		}
		uint64_t v = number(r, bytes_of(c->column[i].type));
		if (strcmp(name, "time") == 0)
			row.time_s = v;
		else if (strcmp(name, "run") == 0)
			row.run = v;
		else if (strcmp(name, "chunk") == 0)
			row.chunk = v;
		else if (strcmp(name, "weight") == 0)
			row.weight = v;
		else if (strcmp(name, "time_us") == 0)
			assert_true(v < 1000000);
		else if (strcmp(name, "answered") == 0 || strcmp(name, "blocked") == 0)
			assert_true(v <= 1);
		else if (f->extra && strncmp(f->extra, name, strlen(name)) == 0)
			row.extra = v;
	}
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

struct taken {
	struct row first;
	uint64_t rows, weight, extra_sum;
	bool mixed; // of two hours
};

// A chunk of two shards, one of which knows the token: what is not there yet.
static void known_take_off(struct fake_clickhouse *f, struct taken *t)
{
	for (unsigned i = 0; i < f->chunks; i++)
		if (f->chunk[i].run == t->first.run && f->chunk[i].number == t->first.chunk) {
			t->rows -= f->chunk[i].rows;
			t->weight -= f->chunk[i].weight;
		}
}

static void chunk_add(
	struct fake_clickhouse *f, uint64_t run, uint64_t chunk, uint64_t rows, uint64_t weight)
{
	unsigned i = 0;
	while (i < f->chunks && (f->chunk[i].run != run || f->chunk[i].number != chunk))
		i++;
	if (i == f->chunks) {
		assert_true(f->chunks < FAKE_CHUNKS_MAX);
		f->chunks++;
		f->chunk[i].run = run;
		f->chunk[i].number = chunk;
		if (run < f->last_run
			|| (run == f->last_run
				&& clickhouse_number_order(chunk, f->last_number) <= 0))
			f->was_out_of_order = true;
		f->last_number = chunk;
		f->last_run = run;
	}
	f->chunk[i].rows += rows;
	f->chunk[i].weight += weight;
}

static struct taken rows_read(
	const struct fake_clickhouse *f, const struct columns *c, const struct fake_post_request *q)
{
	struct taken t = {0};
	uint8_t *body = malloc(BODY_MAX);
	assert_non_null(body);
	struct reader r = {body, body + unpack(q, body)};
	while (r.at < r.end) {
		struct row row = row_read(f, c, &r);
		if (!t.rows++)
			t.first = row;
		t.mixed |= row.time_s / 3600 != t.first.time_s / 3600;
		assert_int_equal(row.run, t.first.run);
		assert_int_equal(row.chunk, t.first.chunk);
		t.weight += row.weight;
		t.extra_sum += row.extra;
	}
	free(body);
	return t;
}

static void rows_take(struct fake_clickhouse *f, const struct taken *t)
{
	f->weight += t->weight;
	f->extra_sum += t->extra_sum;
	f->hours_mixed += t->mixed;
	f->rows += t->rows;
	chunk_add(f, t->first.run, t->first.chunk, t->rows, t->weight);
}

static int error(char reply[1024], unsigned code, int status)
{
	snprintf(reply, 1024, "Code: %u, e.displayText() = DB::Exception: said %u, e.what() = x\n",
		code, code);
	return status;
}

static int insert(struct fake_clickhouse *f, const struct fake_post_request *q, char reply[1024])
{
	struct columns columns;
	snprintf(f->last_insert, sizeof(f->last_insert), "%s", q->head);
	enum fake_fault fault = f->choose ? f->choose(f) : f->fault;
	f->inserts++;
	if (!f->has_table)
		return error(reply, 60, 404);
	if (!columns_read(f, q->head, &columns))
		return error(reply, 16, 404);
	if (strncmp(f->version, "18.", 3) == 0 && strcasestr(q->head, "Content-Encoding: zstd"))
		return error(reply, 89, 500);
	struct taken t = rows_read(f, &columns, q);
	if ((fault == FAKE_TOO_LARGE || fault == FAKE_TOO_LONG) && t.rows <= f->rows_most)
		fault = FAKE_WELL;
	f->too_large += fault == FAKE_TOO_LARGE || fault == FAKE_TOO_LONG;
	if (f->dedups && strstr(q->head, "&insert_deduplication_token="))
		known_take_off(f, &t);
	if (fault == FAKE_TAKEN_SOME) {
		t.rows /= 2;
		t.weight /= 2;
	}
	if (fault == FAKE_WELL || fault == FAKE_TAKEN_SOME || fault == FAKE_TAKEN_LOST
		|| fault == FAKE_TAKEN_HALF || fault == FAKE_TAKEN_ERROR
		|| fault == FAKE_TAKEN_SILENT)
		rows_take(f, &t);
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
	case FAKE_TAKEN_SOME:
		return error(reply, 242, 500);
	case FAKE_TAKEN_ERROR:
		return error(reply, 241, 500);
	case FAKE_LOST:
	case FAKE_TOO_LONG:
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
	if (f->lagging) {
		f->lagging--;
		rows = 0;
	}
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

// "... (name = 'time' AND ...) OR (name = 'box' AND type IN ('String', ...)) ...": how many there
// are of these.
static void columns_count(const struct fake_clickhouse *f, const char *sql, char reply[1024])
{
	unsigned n = 0;
	for (const char *at = sql; (at = strstr(at, "(name = '")); at++) {
		char name[40], type[40] = "DateTime('UTC')";
		assert_true(
			sscanf(at, "(name = '%39[^']' AND type IN ('%39[^']'", name, type) >= 1);
		const char *has = type_of(f, name);
		n += has && strcmp(has, type) == 0;
	}
	snprintf(reply, 1024, "%u\n", f->has_table ? n : 0);
}

static int limits(struct fake_clickhouse *f, const char *sql, char reply[1024])
{
	if (f->limits_code)
		return error(reply, f->limits_code, 500);
	if (strstr(sql, "INSERT INTO"))
		snprintf(f->last_limits, sizeof(f->last_limits), "%s", sql);
	else if (strstr(sql, "SELECT count()"))
		snprintf(f->asked_limits, sizeof(f->asked_limits), "%s", sql),
			strcpy(reply, *f->other_limits ? f->other_limits : "0\t0\t0\t0\t0\t0\t\n");
	return 200;
}

static int statement(struct fake_clickhouse *f, const char *sql, char reply[1024])
{
	if (strstr(sql, "_limits`"))
		return limits(f, sql, reply);
	if (strstr(sql, "SELECT engine_full"))
		strcpy(reply, "Distributed(\\'both\\', \\'weir\\', \\'here\\', chunk)\n");
	else if (strstr(sql, "non_replicated_deduplication_window = [1-9]"))
		snprintf(reply, 1024, "%u\n", f->dedups);
	else if (strstr(sql, "SELECT zookeeper_path"))
		snprintf(reply, 1024, "%s%s", f->path ? f->path : "", f->path ? "\n" : "");
	else if (strstr(sql, "system.zookeeper"))
		snprintf(reply, 1024, "%s\n", f->zxid);
	else if (strstr(sql, "SELECT version()"))
		snprintf(reply, 1024, "%s\n", f->version);
	else if (strstr(sql, "system.databases"))
		strcpy(reply, f->lacks_database ? "0\n" : "1\n");
	else if (strstr(sql, "SELECT create_table_query"))
		strcpy(reply, f->has_other_ttl ? "1\n" : "0\n");
	else if (strstr(sql, "SELECT engine") && f->has_table)
		strcpy(reply, f->is_distributed ? "Distributed\n" : "MergeTree\n");
	else if (strstr(sql, "SELECT count() FROM system.columns"))
		columns_count(f, sql, reply);
	else if (strstr(sql, "system.columns"))
		columns(f, sql, reply);
	else if (strstr(sql, "system.processes"))
		snprintf(reply, 1024, "%u\n", f->running);
	else if (strstr(sql, "SELECT partition"))
		strcpy(reply, strstr(sql, "AND partition > '") ? f->future : f->parts);
	else if (strstr(sql, "SELECT toUInt32(now()), partition"))
		strcpy(reply, f->newest),
			snprintf(f->last_newest, sizeof(f->last_newest), "%s", sql);
	else if (strstr(sql, "DROP PARTITION"))
		f->drops++, snprintf(f->last_drop, sizeof(f->last_drop), "%s", sql);
	else if (strstr(sql, "ADD COLUMN"))
		f->alters++, f->lacks_column = false;
	else if (strstr(sql, "CREATE TABLE") && !f->may_create)
		return error(reply, 60, 404);
	else if (strstr(sql, "CREATE TABLE")) {
		snprintf(f->last_create, sizeof(f->last_create), "%s", sql);
		f->creates++, f->has_table = true;
	} else if (strstr(sql, "SELECT count()") && !f->has_table)
		return error(reply, 60, 404);
	else if (strstr(sql, "SELECT count()") && f->count_code)
		return error(reply, f->count_code, 500);
	else if (strstr(sql, "SELECT count()"))
		count(f, sql, reply);
	return 200;
}

static int answer(void *arg, const struct fake_post_request *q, char reply[1024])
{
	struct fake_clickhouse *f = arg;
	pthread_mutex_lock(&f->lock);
	int status;
	const char *key = strstr(q->head, "X-ClickHouse-Key: ");
	bool is_right = !f->key || (key && strncmp(key + 18, f->key, strlen(f->key)) == 0);
	if (f->is_down) {
		status = FAKE_POST_CLOSE;
	} else if (!is_right || (!f->choose && f->fault == FAKE_PASSWORD)) {
		status = error(reply, 193, 401);
	} else if (!f->choose && f->fault == FAKE_FORBIDDEN) {
		strcpy(reply, "\033[31mno entry\n");
		status = 403;
	} else if (!f->choose && f->fault == FAKE_ALL_LARGE) {
		f->too_large++;
		status = 413;
	} else if (strstr(q->head, "query=INSERT")) {
		if (f->on_statement)
			f->on_statement(q->head);
		status = insert(f, q, reply);
	} else {
		char *sql = strndup((const char *)q->body, q->len);
		assert_non_null(sql);
		if (f->on_statement)
			f->on_statement(sql);
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
