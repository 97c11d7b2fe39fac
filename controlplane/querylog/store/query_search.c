// SPDX-License-Identifier: BSD-3-Clause

#include "query_search.h"

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

enum { MEMO_NAMES = 1 << 15, MEMO_OTHERS = 1 << 12, LOOK_ROWS = 1024 };

// Whether what a number stands for fits the filter, as last found out in this file.
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
	bool over; // by rows or time
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
		const char *group = c->group[0] ? c->group : CONFIG_EVERYONE;
		*m = (struct memo){id, has_client && (!f->group[0] || !strcmp(group, f->group))};
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

// Rows after (before) this one are all out of the filter's time.
static bool time_passed(const struct query_filter *f, int64_t time_us)
{
	return f->newest_first ? time_us < f->since_us - QUERY_SLACK_US
			       : time_us > f->until_us && time_us - QUERY_SLACK_US > f->until_us;
}

static int rows_walk(struct search *s)
{
	struct query_raw raw;
	int rc;
	while ((rc = query_reader_next(s->reader, &raw)) > 0) {
		bool fits;
		if (time_passed(s->filter, raw.time_us))
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

// Where to begin in a file: behind the place that was reached, or near the filter's time.
static int walk_start(struct search *s, const struct query_place *after)
{
	const struct query_filter *f = s->filter;
	int64_t id;
	int rc = 0;
	if (after)
		id = after->id;
	else if (f->newest_first)
		rc = query_reader_seek(s->reader,
			f->until_us < INT64_MAX - QUERY_SLACK_US ? f->until_us + QUERY_SLACK_US
								 : INT64_MAX,
			&id);
	else
		rc = query_reader_seek(s->reader, f->since_us - QUERY_SLACK_US, &id);
	if (rc)
		return rc;
	if (!after && !f->newest_first)
		id--; // "over id"
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
	if (rc == -ECANCELED && !*s->stop) { // its time was over inside of SQLite
		s->over = true;
		return 0;
	}
	if (rc == -ENOENT) // it was dropped meanwhile, or nothing is in it yet
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
