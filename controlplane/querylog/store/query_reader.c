// SPDX-License-Identifier: BSD-3-Clause

#include "query_reader.h"

#include "query_absent.h"
#include "query_schema.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <weir/heap_site.h>

enum { SELECT_UP, SELECT_DOWN, SELECT_AT, SELECT_NAME, SELECT_CLIENT, SELECT_KIND, SELECTS };

#define ROW_COLUMNS                                                                  \
	"SELECT id, time, weight, name, client, kind, port, dataplane_us, total_us," \
	" query_len, reply_len FROM rows "

static const char *const selects[SELECTS] = {
	[SELECT_UP] = ROW_COLUMNS "WHERE id > ?1 ORDER BY id",
	[SELECT_DOWN] = ROW_COLUMNS "WHERE id < ?1 ORDER BY id DESC",
	[SELECT_AT] = "SELECT id, time FROM rows WHERE id >= ?1 ORDER BY id LIMIT 1",
	[SELECT_NAME] = "SELECT text FROM names WHERE id = ?1",
	[SELECT_CLIENT] = "SELECT address, name, grp, version FROM clients WHERE id = ?1",
	[SELECT_KIND] = ("SELECT box, verdict, list, upstream, transport, tier, qtype, qclass,"
			 " rcode, ede, answered, blocked, validation FROM kinds WHERE id = ?1"),
};

static const char kind_of_oldest[] =
	"SELECT box, verdict, list, upstream, transport, tier, qtype, qclass,"
	" rcode, ede, answered, blocked, 'none' FROM kinds WHERE id = ?1";

struct query_reader {
	struct sql *db;
	struct sql_statement *select[SELECTS];
	struct sql_statement *rows; // of the two, the one that was started
	int64_t middle_us, version;
};

// Its writer makes the schema in one transaction, after the file.
static int schema_is_missing(struct query_reader *r)
{
	int64_t tables;
	int rc = sql_number(r->db, "SELECT count(*) FROM sqlite_schema", &tables);
	return rc ? rc : tables ? -EUCLEAN : -ENOENT;
}

// In one transaction: the writer's may end between two statements.
static int reader_check(struct query_reader *r)
{
	int64_t application, version;
	int rc = sql_run(r->db, "BEGIN");
	if (rc == 0)
		rc = sql_number(r->db, "PRAGMA application_id", &application);
	if (rc == 0)
		rc = sql_number(r->db, "PRAGMA user_version", &version);
	if (rc == 0 && application == 0 && version == 0)
		return schema_is_missing(r);
	if (rc == 0
		&& (application != QUERY_APPLICATION_ID || version < QUERY_SCHEMA_OLDEST
			|| version > QUERY_SCHEMA_VERSION))
		rc = -EUCLEAN;
	r->version = version;
	if (rc == 0)
		rc = sql_number(r->db, "SELECT middle_us FROM file", &r->middle_us);
	if (rc == 0 && (r->middle_us < 0 || r->middle_us > INT64_MAX / 2))
		rc = -EUCLEAN;
	return rc ? rc : sql_run(r->db, "COMMIT");
}

static const char *select_of(const struct query_reader *r, unsigned i)
{
	return i == SELECT_KIND && r->version == QUERY_SCHEMA_OLDEST ? kind_of_oldest : selects[i];
}

int query_reader_open(
	struct query_reader **out, const char *path, bool (*stop)(void *arg), void *arg)
{
	struct query_reader *r = heap_calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	int rc = sql_open(&r->db, path, SQL_READ);
	if (rc == 0) {
		sql_stop_when(r->db, stop, arg);
		rc = reader_check(r);
	}
	for (unsigned i = 0; rc == 0 && i < SELECTS; i++)
		rc = sql_prepare(r->db, select_of(r, i), &r->select[i]);
	if (rc) {
		query_reader_close(r);
		return rc;
	}
	*out = r;
	return 0;
}

void query_reader_close(struct query_reader *r)
{
	if (!r)
		return;
	for (unsigned i = 0; i < SELECTS; i++)
		sql_free(r->select[i]);
	sql_close(r->db);
	heap_free(r);
}

bool query_reader_may_have(struct query_reader *r, const char *name, const char *client)
{
	return query_absent_may_have(r->db, name, client);
}

static int64_t row_time(const struct query_reader *r, int64_t offset)
{
	int64_t time_us;
	return __builtin_add_overflow(r->middle_us, offset, &time_us) ? 0 : time_us;
}

// 0 with *time_us of the first row from `id` on, INT64_MAX without such a row.
static int time_at(struct query_reader *r, int64_t id, int64_t *time_us)
{
	struct sql_statement *t = r->select[SELECT_AT];
	sql_bind(t, 1, id);
	int rc = sql_step(t);
	if (rc >= 0)
		*time_us = rc ? row_time(r, sql_column(t, 1)) : INT64_MAX;
	sql_reset(t);
	return rc < 0 ? rc : 0;
}

int query_reader_seek(struct query_reader *r, int64_t time_us, int64_t *id)
{
	int64_t low = 1, high, at;
	int rc = sql_number(r->db, "SELECT coalesce(max(id), 0) FROM rows", &high);
	if (rc)
		return rc;
	if (high == INT64_MAX)
		return -EUCLEAN;
	high++; // in [low, high] it is
	while (low < high) {
		int64_t middle = low + (high - low) / 2;
		rc = time_at(r, middle, &at);
		if (rc)
			return rc;
		if (at < time_us)
			low = middle + 1;
		else
			high = middle;
	}
	*id = low;
	return 0;
}

void query_reader_start(struct query_reader *r, int64_t id, bool backwards)
{
	r->rows = r->select[backwards ? SELECT_DOWN : SELECT_UP];
	sql_reset(r->rows);
	sql_bind(r->rows, 1, id);
}

int query_reader_next(struct query_reader *r, struct query_raw *out)
{
	struct sql_statement *t = r->rows;
	int rc = sql_step(t);
	if (rc <= 0) {
		sql_reset(t);
		return rc;
	}
	*out = (struct query_raw){.id = sql_column(t, 0),
		.time_us = row_time(r, sql_column(t, 1)),
		.weight = sql_column(t, 2),
		.name = sql_column(t, 3),
		.client = sql_column(t, 4),
		.kind = sql_column(t, 5),
		.port = sql_column(t, 6) & UINT16_MAX,
		.dataplane_us = sql_column(t, 7),
		.total_us = sql_column(t, 8),
		.query_len = sql_column(t, 9),
		.reply_len = sql_column(t, 10)};
	return 1;
}

// The row of a number: 1, 0 or -errno; to be reset.
static int look(struct query_reader *r, unsigned which, int64_t id)
{
	sql_bind(r->select[which], 1, id);
	return sql_step(r->select[which]);
}

int query_reader_name(struct query_reader *r, int64_t id, char out[QUERY_NAME_TEXT_MAX])
{
	struct sql_statement *t = r->select[SELECT_NAME];
	out[0] = '\0';
	int rc = look(r, SELECT_NAME, id);
	if (rc > 0)
		sql_column_text(t, 0, out, QUERY_NAME_TEXT_MAX);
	sql_reset(t);
	return rc < 0 ? rc : 0;
}

int query_reader_client(struct query_reader *r, int64_t id, struct query_client *out)
{
	struct sql_statement *t = r->select[SELECT_CLIENT];
	memset(out, 0, sizeof(*out));
	int rc = look(r, SELECT_CLIENT, id);
	if (rc > 0) {
		sql_column_text(t, 0, out->address, sizeof(out->address));
		sql_column_text(t, 1, out->name, sizeof(out->name));
		sql_column_text(t, 2, out->group, sizeof(out->group));
		out->version = sql_column(t, 3);
	}
	sql_reset(t);
	return rc < 0 ? rc : 0;
}

int query_reader_kind(struct query_reader *r, int64_t id, struct query_kind *out)
{
	struct sql_statement *t = r->select[SELECT_KIND];
	memset(out, 0, sizeof(*out));
	int rc = look(r, SELECT_KIND, id);
	if (rc > 0) {
		char *const texts[] = {out->box, out->verdict, out->list, out->upstream,
			out->transport, out->tier};
		for (int i = 0; i < 6; i++)
			sql_column_text(t, i, texts[i], QUERY_TEXT_MAX);
		out->qtype = sql_column(t, 6);
		out->qclass = sql_column(t, 7);
		out->rcode = sql_column(t, 8);
		out->ede = sql_column(t, 9);
		out->answered = sql_column(t, 10) != 0;
		out->blocked = sql_column(t, 11) != 0;
		sql_column_text(t, 12, out->validation, QUERY_TEXT_MAX);
	}
	sql_reset(t);
	return rc < 0 ? rc : 0;
}

bool query_name_dot_at(const char *text, size_t i)
{
	size_t slashes = 0;
	while (slashes < i && text[i - 1 - slashes] == '\\')
		slashes++;
	return text[i] == '.' && slashes % 2 == 0;
}

size_t query_name_len(const char *text)
{
	size_t len = strlen(text);
	return len > 1 && query_name_dot_at(text, len - 1) ? len - 1 : len;
}

bool query_name_below(const char *name, const char *filter)
{
	size_t len = query_name_len(name), tail = query_name_len(filter);
	if (tail > len || strncasecmp(name + len - tail, filter, tail) != 0)
		return false;
	return tail == len || (len - tail > 0 && query_name_dot_at(name, len - tail - 1));
}
