// SPDX-License-Identifier: BSD-3-Clause
#include "query_search.h"

#include "query_file.h"
#include "query_folder.h"
#include "query_schema.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <weir/clock.h>
#include <weir/config.h>
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
	struct sql_statement *rows; // forwards or backwards, as started
	int64_t middle_us, version, late_us;
};

// -ENOENT: the file has no schema yet. The writer makes the schema in one transaction, after the
// file.
static int schema_is_missing(struct query_reader *r)
{
	int64_t tables;
	int rc = sql_number(r->db, "SELECT count(*) FROM sqlite_schema", &tables);
	return rc ? rc : tables ? -EUCLEAN : -ENOENT;
}

// Reads the bound of the order of rows. Without one any order is possible.
static int late_read(struct query_reader *r)
{
	int64_t tables, holds = true, late_us = INT64_MAX;
	int rc = sql_number(r->db,
		"SELECT coalesce(sum((name = 'late') + 2 * (name = 'late_rows')), 0)"
		" FROM sqlite_schema",
		&tables);
	if (rc == 0 && tables & 2)
		rc = sql_number(r->db, QUERY_LATE_HOLDS, &holds);
	if (rc == 0 && tables & 1 && holds)
		rc = sql_number(r->db, QUERY_LATE, &late_us);
	r->late_us = query_late_us(late_us);
	return rc;
}

// Begins a transaction that lasts until the reader closes, because the writer may commit between
// two statements: rows that are later than late_us, for example.
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
	return rc ? rc : late_read(r);
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

// Finds the time of the first row from `id` on; INT64_MAX: there is no such row.
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

int64_t query_reader_late_us(const struct query_reader *r)
{
	return r->late_us;
}

// Finds a row that is not earlier than time_us, behind a row that is earlier; in order, the first
// such row. Without such a row the id behind the last row.
static int query_reader_seek(struct query_reader *r, int64_t time_us, int64_t *id)
{
	int64_t low = 1, high, at;
	int rc = sql_number(r->db, "SELECT coalesce(max(id), 0) FROM rows", &high);
	if (rc)
		return rc;
	if (high == INT64_MAX)
		return -EUCLEAN;
	high++; // the row lies in [low, high]
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

// Looks a number up. 1: the row; 0: no such row; -errno. The caller resets the statement.
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
	if (strcmp(filter, ".") == 0)
		return len > 0;
	if (tail > len || strncasecmp(name + len - tail, filter, tail) != 0)
		return false;
	return tail == len || (len - tail > 0 && query_name_dot_at(name, len - tail - 1));
}

bool query_group_is(const char *group, const char *filter)
{
	return strcmp(group[0] ? group : CONFIG_EVERYONE, filter) == 0;
}

enum { MEMO_NAMES = 1 << 15, MEMO_OTHERS = 1 << 12, LOOK_ROWS = 1024 };

// Whether the text or kind with a number of this file fits the filter, as found out last.
struct memo {
	int64_t id;
	bool fits;
};

struct search {
	const struct query_filter *filter;
	const _Atomic bool *stop;
	void (*found)(void *arg, const struct query_found *f);
	void *arg;
	uint64_t end_ms;
	unsigned rows;
	bool over; // the bound of rows or time is reached
	struct query_outcome outcome;
	struct query_reader *reader;
	struct memo name[MEMO_NAMES], client[MEMO_OTHERS], kind[MEMO_OTHERS];
	struct query_found row;
};

bool query_place_parse(const char *text, struct query_place *out)
{
	struct query_place p;
	char again[QUERY_PLACE_MAX];
	if (strlen(text) >= QUERY_PLACE_MAX
		|| sscanf(text, "%8" SCNd64 ".%4u.%18" SCNd64, &p.hour, &p.part, &p.id) != 3
		|| p.hour < 0 || p.hour > QUERY_HOUR_MAX || !p.part || p.id < 0)
		return false;
	query_place_print(&p, again);
	if (strcmp(again, text) != 0)
		return false;
	*out = p;
	return true;
}

void query_place_print(const struct query_place *p, char out[QUERY_PLACE_MAX])
{
	snprintf(out, QUERY_PLACE_MAX, "%" PRId64 ".%u.%" PRId64, p->hour, p->part, p->id);
}

static bool search_late(void *arg)
{
	struct search *s = arg;
	return atomic_load_explicit(s->stop, memory_order_relaxed) || clock_mono_ms() >= s->end_ms;
}

static int name_fits(struct search *s, int64_t id, bool *fits)
{
	struct memo *m = &s->name[(uint64_t)id % MEMO_NAMES];
	if (m->id != id) {
		int rc = query_reader_name(s->reader, id, s->row.name);
		if (rc)
			return rc;
		const struct query_filter *f = s->filter;
		*m = (struct memo){id, (!f->name[0] || query_name_below(s->row.name, f->name))
					       && strcasestr(s->row.name, f->part)};
	}
	*fits = m->fits;
	return 0;
}

static int client_fits(struct search *s, int64_t id, bool *fits)
{
	struct memo *m = &s->client[(uint64_t)id % MEMO_OTHERS];
	if (m->id != id) {
		const struct query_client *c = &s->row.client;
		const struct query_filter *f = s->filter;
		int rc = query_reader_client(s->reader, id, &s->row.client);
		if (rc)
			return rc;
		const bool has_client = !f->client[0] || strcasecmp(c->address, f->client) == 0
					|| strcasecmp(c->name, f->client) == 0;
		*m = (struct memo){
			id, has_client && (!f->group[0] || query_group_is(c->group, f->group))};
	}
	*fits = m->fits;
	return 0;
}

static int kind_fits(struct search *s, int64_t id, bool *fits)
{
	struct memo *m = &s->kind[(uint64_t)id % MEMO_OTHERS];
	if (m->id != id) {
		const struct query_kind *k = &s->row.kind;
		const struct query_filter *f = s->filter;
		int rc = query_reader_kind(s->reader, id, &s->row.kind);
		if (rc)
			return rc;
		const bool has_verdict = !f->verdict[0] || strcmp(k->verdict, f->verdict) == 0
					 || (k->blocked && !strcmp(f->verdict, "blocked"));
		const bool has_validation =
			!f->validation[0] || strcmp(k->validation, f->validation) == 0;
		const bool has_rcode = !f->has_rcode || (k->answered && k->rcode == f->rcode);
		*m = (struct memo){id, has_verdict && has_validation && has_rcode};
	}
	*fits = m->fits;
	return 0;
}

static int row_fits(struct search *s, const struct query_raw *raw, bool *fits)
{
	const struct query_filter *f = s->filter;
	int rc = 0;
	*fits = raw->time_us >= f->since_us && raw->time_us < f->until_us;
	if (*fits && (f->verdict[0] || f->validation[0] || f->has_rcode))
		rc = kind_fits(s, raw->kind, fits);
	if (rc == 0 && *fits && (f->client[0] || f->group[0]))
		rc = client_fits(s, raw->client, fits);
	if (rc == 0 && *fits && (f->name[0] || f->part[0]))
		rc = name_fits(s, raw->name, fits);
	return rc;
}

static int row_give(struct search *s, const struct query_raw *raw)
{
	struct query_found *row = &s->row;
	int rc = query_reader_name(s->reader, raw->name, row->name);
	if (rc == 0)
		rc = query_reader_client(s->reader, raw->client, &row->client);
	if (rc == 0)
		rc = query_reader_kind(s->reader, raw->kind, &row->kind);
	if (rc)
		return rc;
	row->raw = *raw;
	s->found(s->arg, row);
	s->rows++;
	return 0;
}

// Whether all rows behind (before, if newest_first) this one are outside the filter's time.
static bool time_passed(const struct search *s, int64_t time_us)
{
	const struct query_filter *f = s->filter;
	const int64_t late_us = query_reader_late_us(s->reader);
	return f->newest_first ? time_us < f->since_us - late_us
			       : time_us > f->until_us && time_us - late_us > f->until_us;
}

static int rows_walk(struct search *s)
{
	struct query_raw raw;
	int rc;
	while ((rc = query_reader_next(s->reader, &raw)) > 0) {
		bool fits;
		if (time_passed(s, raw.time_us))
			return 0;
		rc = row_fits(s, &raw, &fits);
		if (rc == 0 && fits)
			rc = row_give(s, &raw);
		if (rc)
			return rc;
		s->outcome.place.id = raw.id;
		s->outcome.reached_us = raw.time_us;
		s->outcome.looked_at++;
		if (s->rows == s->filter->rows
			|| (s->outcome.looked_at % LOOK_ROWS == 0 && search_late(s))) {
			s->over = true;
			return 0;
		}
	}
	return rc;
}

// Starts to read a file: behind the place reached by the last search, or near the filter's time.
static int walk_start(struct search *s, const struct query_place *after)
{
	const struct query_filter *f = s->filter;
	const int64_t late_us = query_reader_late_us(s->reader);
	int64_t id;
	int rc = 0;
	if (after)
		id = after->id;
	else if (f->newest_first)
		rc = query_reader_seek(s->reader,
			f->until_us < INT64_MAX - late_us ? f->until_us + late_us : INT64_MAX, &id);
	else
		rc = query_reader_seek(s->reader, f->since_us - late_us, &id);
	if (rc)
		return rc;
	if (!after && !f->newest_first)
		id--; // query_reader_start begins over `id`
	query_reader_start(s->reader, id, f->newest_first);
	s->outcome.place.id = id;
	return 0;
}

static int rows_look(struct search *s, const struct query_place *after)
{
	int rc = walk_start(s, after);
	return rc ? rc : rows_walk(s);
}

static void unreadable_note(struct search *s, const struct query_folder_file *file, int err)
{
	struct query_outcome *o = &s->outcome;
	if (o->unreadable < QUERY_UNREAD_MAX)
		o->unread[o->unreadable] = (struct query_unread){file->hour, file->part, err};
	o->unreadable++;
}

static int file_search(struct search *s, const char *folder, const struct query_folder_file *file,
	const struct query_place *after)
{
	char path[PATH_MAX];
	int rc = query_folder_path(folder, file->hour, file->part, path);
	if (rc)
		return rc;
	s->outcome.place = (struct query_place){.hour = file->hour,
		.part = file->part,
		.id = after                     ? after->id
		      : s->filter->newest_first ? INT64_C(999999999999999999)
						: 0};
	memset(s->name, 0, sizeof(s->name));
	memset(s->client, 0, sizeof(s->client));
	memset(s->kind, 0, sizeof(s->kind));
	rc = query_reader_open(&s->reader, path, search_late, s);
	if (rc == 0 && !query_reader_may_have(s->reader, s->filter->name, s->filter->client))
		s->outcome.ruled_out++;
	else if (rc == 0)
		rc = rows_look(s, after);
	query_reader_close(s->reader);
	s->reader = NULL;
	if (rc == -ECANCELED && !*s->stop) { // the time ran out inside SQLite
		s->over = true;
		return 0;
	}
	if (rc == -ENOENT) // the file was deleted meanwhile, or has no schema yet
		return 0;
	if (rc && rc != -ENOMEM && rc != -ECANCELED) {
		unreadable_note(s, file, rc);
		return 0;
	}
	return rc;
}

// Compares a file with a place in the order of the search: 0 is that file, over 0 comes after it.
static int place_order(const struct query_filter *f, const struct query_folder_file *file,
	const struct query_place *p)
{
	int64_t order = file->hour != p->hour ? file->hour - p->hour
					      : (int64_t)file->part - (int64_t)p->part;
	int sign = order > 0 ? 1 : order < 0 ? -1 : 0;
	return f->newest_first ? -sign : sign;
}

static int files_search(struct search *s, const char *folder, const struct query_folder *files)
{
	const struct query_filter *f = s->filter;
	int rc = 0;
	for (unsigned i = 0; rc == 0 && !s->over && i < files->count; i++) {
		const struct query_folder_file *file =
			&files->file[f->newest_first ? files->count - 1 - i : i];
		int order = f->after.part ? place_order(f, file, &f->after) : 1;
		if (order < 0 || !query_folder_in_time(file, f->since_us, f->until_us))
			continue;
		rc = file_search(s, folder, file, order == 0 ? &f->after : NULL);
		if (*s->stop)
			rc = -ECANCELED;
		else if (search_late(s) && i + 1 < files->count)
			s->over = true;
	}
	s->outcome.complete = !s->over;
	return rc;
}

int query_search(const char *folder, const struct query_filter *filter, const _Atomic bool *stop,
	void (*found)(void *arg, const struct query_found *f), void *arg, struct query_outcome *out)
{
	struct query_folder files;
	int rc = query_folder_scan(&files, folder);
	if (rc == -ENOENT) { // nothing was ever logged
		*out = (struct query_outcome){.complete = true};
		return 0;
	}
	if (rc)
		return rc;
	struct search *s = heap_calloc(1, sizeof(*s));
	if (!s) {
		query_folder_free(&files);
		return -ENOMEM;
	}
	s->filter = filter;
	s->stop = stop;
	s->found = found;
	s->arg = arg;
	s->end_ms = clock_mono_ms() + filter->for_ms;
	s->outcome.place = filter->after;
	rc = files_search(s, folder, &files);
	if (rc == 0)
		*out = s->outcome;
	query_folder_free(&files);
	heap_free(s);
	return rc;
}
