// SPDX-License-Identifier: BSD-3-Clause

#include "query_top.h"

#include "query_folder.h"
#include "query_schema.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

enum { RCODE_NXDOMAIN = 3 };
enum { BAG_NAMES = 1 << 14, BAG_CLIENTS = 1 << 12, BAG_OTHERS = 1 << 9 };

// Tallies by the numbers that a file gives its texts.
struct numbered {
	struct query_tally *tally;
	unsigned cap, room; // most tallies, and tallies allocated
};

// A kind or a client of the file, as last read.
struct known {
	int64_t id; // 0: the entry is empty
	bool fits, blocked, missing;
	char list[QUERY_TEXT_MAX];
};

struct top {
	const struct query_top_wanted *wanted;
	const _Atomic bool *stop;
	uint64_t end_ms;
	struct query_top_report *report;
	struct query_reader *reader;
	struct numbered name, client, kind;
	struct known kinds[256], clients[256];
};

static bool is_late(void *arg)
{
	const struct top *t = arg;
	return *t->stop || clock_mono_ms() >= t->end_ms;
}

// Adds nothing for a number over the cap.
static int numbered_add(struct numbered *n, int64_t id, const struct query_tally *t, uint64_t *left)
{
	if (id <= 0 || id >= n->cap) {
		*left += t->queries;
		return 0;
	}
	if ((uint64_t)id >= n->room) {
		unsigned room = n->room ? n->room : 1024;
		while (room <= (uint64_t)id)
			room *= 2;
		struct query_tally *more = heap_realloc(n->tally, room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		memset(more + n->room, 0, (room - n->room) * sizeof(*more));
		n->tally = more;
		n->room = room;
	}
	query_tally_add(&n->tally[id], t);
	return 0;
}

static int kind_known(struct top *t, int64_t id, const struct known **out)
{
	struct known *k = &t->kinds[(uint64_t)id % ARRAY_LEN(t->kinds)];
	struct query_kind kind;
	*out = k;
	if (k->id == id)
		return 0;
	int rc = query_reader_kind(t->reader, id, &kind);
	if (rc < 0)
		return rc;
	k->id = id;
	k->blocked = kind.blocked;
	k->missing = !kind.blocked && kind.answered && kind.rcode == RCODE_NXDOMAIN;
	memcpy(k->list, kind.list, sizeof(k->list));
	return 0;
}

static int client_fits(struct top *t, int64_t id, bool *out)
{
	*out = true;
	if (!t->wanted->client[0])
		return 0;
	struct known *k = &t->clients[(uint64_t)id % ARRAY_LEN(t->clients)];
	if (k->id != id) {
		struct query_client client;
		int rc = query_reader_client(t->reader, id, &client);
		if (rc < 0)
			return rc;
		k->id = id;
		k->fits = strcasecmp(client.address, t->wanted->client) == 0
			  || strcasecmp(client.name, t->wanted->client) == 0;
	}
	*out = k->fits;
	return 0;
}

// The tally of an hour, new behind the others if it has none. Files come newest first, and their
// last rows may be of the hour before: it is one of the last two.
static struct query_tally *hour_of(struct query_top_report *r, int64_t hour)
{
	for (unsigned i = 1; i <= 2 && i <= r->hours; i++)
		if (r->hour[r->hours - i].hour == hour)
			return &r->hour[r->hours - i].tally;
	if (r->hours == QUERY_TOP_HOURS_ROOM)
		return NULL;
	r->hour[r->hours] = (struct query_top_hour){.hour = hour};
	return &r->hour[r->hours++].tally;
}

// `file_hour`: a row that came late is of the hour before.
static int row_add(struct top *t, const struct query_raw *row, int64_t file_hour)
{
	const struct known *kind;
	bool fits;
	if (row->weight <= 0 || row->time_us < t->wanted->since_us
		|| row->time_us >= t->wanted->until_us)
		return 0;
	int rc = client_fits(t, row->client, &fits);
	if (rc < 0 || !fits)
		return rc;
	rc = kind_known(t, row->kind, &kind);
	if (rc < 0)
		return rc;
	const uint64_t weight = (uint64_t)row->weight;
	const struct query_tally one = {.queries = weight,
		.blocked = kind->blocked ? weight : 0,
		.missing = kind->missing ? weight : 0,
		.first_us = row->time_us,
		.last_us = row->time_us};
	const bool is_before = row->time_us / QUERY_HOUR_US == file_hour - 1;
	struct query_tally *hour = hour_of(t->report, file_hour - is_before);
	if (!hour)
		return -E2BIG;
	query_tally_add(hour, &one);
	rc = numbered_add(&t->name, row->name, &one, &t->report->left_out);
	if (rc == 0)
		rc = numbered_add(&t->client, row->client, &one, &t->report->left_out);
	return rc ? rc : numbered_add(&t->kind, row->kind, &one, &t->report->left_out);
}

// A row without a name or a client stands for unlogged queries: the sums alone have it.
static int names_keep(struct top *t)
{
	char text[QUERY_NAME_TEXT_MAX];
	int rc = 0;
	for (unsigned i = 1; rc == 0 && i < t->name.room; i++) {
		if (!t->name.tally[i].queries)
			continue;
		rc = query_reader_name(t->reader, i, text);
		if (rc == 0 && text[0])
			rc = query_bag_add(
				&t->report->bag[QUERY_TOP_names], text, &t->name.tally[i]);
	}
	return rc;
}

static int others_keep(struct top *t)
{
	struct query_top_report *r = t->report;
	struct query_client client;
	struct query_kind kind;
	int rc = 0;
	for (unsigned i = 1; rc == 0 && i < t->client.room; i++) {
		const struct query_tally *tally = &t->client.tally[i];
		if (!tally->queries)
			continue;
		rc = query_reader_client(t->reader, i, &client);
		if (rc || !client.address[0])
			continue;
		rc = query_bag_add(&r->bag[QUERY_TOP_clients], client.address, tally);
		if (rc == 0)
			rc = query_bag_add(&r->bag[QUERY_TOP_groups],
				client.group[0] ? client.group : "everyone", tally);
	}
	for (unsigned i = 1; rc == 0 && i < t->kind.room; i++) {
		if (!t->kind.tally[i].blocked)
			continue;
		rc = query_reader_kind(t->reader, i, &kind);
		if (rc == 0 && kind.list[0])
			rc = query_bag_add(&r->bag[QUERY_TOP_lists], kind.list, &t->kind.tally[i]);
	}
	return rc;
}

static void file_begin(struct top *t)
{
	struct numbered *const all[] = {&t->name, &t->client, &t->kind};
	for (unsigned i = 0; i < ARRAY_LEN(all); i++)
		if (all[i]->room)
			memset(all[i]->tally, 0, all[i]->room * sizeof(*all[i]->tally));
	memset(t->kinds, 0, sizeof(t->kinds));
	memset(t->clients, 0, sizeof(t->clients));
}

// Counts the rows of a file. If the time runs out, the rows read so far count; far out of order,
// the unread ones may be later than the last one read.
static int rows_add(struct top *t, int64_t file_hour)
{
	const int64_t late_us = query_reader_late_us(t->reader);
	const int64_t unread_us = late_us > QUERY_SLACK_US ? late_us : 0;
	struct query_raw row;
	int rc, added = 0;
	query_reader_start(t->reader, INT64_MAX, true);
	while (added == 0 && (rc = query_reader_next(t->reader, &row)) > 0) {
		if (row.time_us < t->wanted->since_us - late_us)
			return 0;
		added = row_add(t, &row, file_hour);
		if (row.time_us < t->report->covered_us - unread_us)
			t->report->covered_us = row.time_us + unread_us;
	}
	return added ? added : rc;
}

// Counts the rows of the open file, and looks up the texts of those counted although the time is
// over.
static int file_count(struct top *t, int64_t hour)
{
	int rc = rows_add(t, hour);
	if (rc && (rc != -ECANCELED || *t->stop))
		return rc;
	const uint64_t end_ms = t->end_ms;
	t->end_ms = UINT64_MAX;
	int kept = names_keep(t);
	kept = kept ? kept : others_keep(t);
	t->end_ms = end_ms;
	return kept ? kept : rc;
}

static int file_add(struct top *t, const char *folder, const struct query_folder_file *file)
{
	char path[PATH_MAX];
	int rc = hour_of(t->report, file->hour)
			 ? query_folder_path(folder, file->hour, file->part, path)
			 : -E2BIG;
	if (rc)
		return rc;
	file_begin(t);
	rc = query_reader_open(&t->reader, path, is_late, t);
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	if (query_reader_may_have(t->reader, "", t->wanted->client))
		rc = file_count(t, file->hour);
	query_reader_close(t->reader);
	t->reader = NULL;
	return rc;
}

static int files_add(struct top *t, const char *folder, const struct query_folder *files)
{
	struct query_top_report *r = t->report;
	for (unsigned i = files->count; i-- > 0;) {
		const struct query_folder_file *f = &files->file[i];
		if (!query_folder_in_time(f, t->wanted->since_us, t->wanted->until_us))
			continue;
		int rc = *t->stop ? -ECANCELED : file_add(t, folder, f);
		if (rc == -ENOMEM || (rc == -ECANCELED && *t->stop))
			return rc;
		if (rc == -ECANCELED || rc == -E2BIG || (i > 0 && is_late(t)))
			return 0; // the report is not complete
		if (rc < 0)
			r->unreadable++;
	}
	r->complete = true;
	r->covered_us = t->wanted->since_us;
	return 0;
}

static int bags_open(struct query_top_report *r)
{
	static const unsigned cap[QUERY_TOP_BAGS] = {[QUERY_TOP_names] = BAG_NAMES,
		[QUERY_TOP_clients] = BAG_CLIENTS,
		[QUERY_TOP_lists] = BAG_OTHERS,
		[QUERY_TOP_groups] = BAG_OTHERS};
	int rc = 0;
	for (unsigned i = 0; rc == 0 && i < QUERY_TOP_BAGS; i++)
		rc = query_bag_open(&r->bag[i], cap[i]);
	return rc;
}

// Adds up the sums, and orders the hours by time.
static void report_end(struct query_top_report *r)
{
	for (unsigned i = 0; i < r->hours; i++)
		query_tally_add(&r->all, &r->hour[i].tally);
	for (unsigned i = 0; i < r->hours / 2; i++) {
		const struct query_top_hour h = r->hour[i];
		r->hour[i] = r->hour[r->hours - 1 - i];
		r->hour[r->hours - 1 - i] = h;
	}
}

static int top_run(struct top *t, const char *folder)
{
	struct query_folder files;
	int rc = bags_open(t->report);
	t->report->covered_us = t->wanted->until_us; // nothing is covered yet
	rc = rc ? rc : query_folder_scan(&files, folder);
	if (rc == -ENOENT) { // nothing was ever logged
		t->report->complete = true;
		t->report->covered_us = t->wanted->since_us;
		return 0;
	}
	if (rc)
		return rc;
	rc = files_add(t, folder, &files);
	query_folder_free(&files);
	report_end(t->report);
	return rc;
}

// The bags of a report, and their orders.
static const uint8_t firsts[][2] = {{QUERY_TOP_names, QUERY_BAG_QUERIES},
	{QUERY_TOP_names, QUERY_BAG_BLOCKED}, {QUERY_TOP_names, QUERY_BAG_MISSING},
	{QUERY_TOP_clients, QUERY_BAG_QUERIES}, {QUERY_TOP_lists, QUERY_BAG_BLOCKED},
	{QUERY_TOP_groups, QUERY_BAG_QUERIES}};

static void first_pick(struct query_top_report *r, unsigned of, unsigned by)
{
	struct query_bag *b = &r->bag[of];
	struct query_top_first *out = &r->first[of][by];
	query_bag_sort(b, by);
	for (unsigned i = 0; i < b->count && i < QUERY_TOP_ITEMS_MAX; i++)
		if (query_tally_count(&b->item[i].tally, by))
			out->item[out->count++] = b->item[i];
}

int query_top_find(const char *folder, const struct query_top_wanted *wanted,
	const _Atomic bool *stop, struct query_top_report **out)
{
	struct top *t = heap_calloc(1, sizeof(*t));
	struct query_top_report *r = heap_calloc(1, sizeof(*r));
	int rc = t && r ? 0 : -ENOMEM;
	if (rc == 0) {
		*t = (struct top){.wanted = wanted,
			.stop = stop,
			.end_ms = clock_mono_ms() + wanted->for_ms,
			.report = r,
			.name.cap = QUERY_TOP_FILE_NAMES,
			.client.cap = QUERY_TOP_FILE_OTHERS,
			.kind.cap = QUERY_TOP_FILE_OTHERS};
		rc = top_run(t, folder);
		for (unsigned i = 0; rc == 0 && i < ARRAY_LEN(firsts); i++)
			first_pick(r, firsts[i][0], firsts[i][1]);
		FREE_AND_NULL(t->name.tally);
		FREE_AND_NULL(t->client.tally);
		FREE_AND_NULL(t->kind.tally);
	}
	heap_free(t);
	if (rc)
		query_top_free(r);
	*out = rc ? NULL : r;
	return rc;
}

void query_top_free(struct query_top_report *r)
{
	for (unsigned i = 0; r && i < QUERY_TOP_BAGS; i++)
		query_bag_close(&r->bag[i]);
	heap_free(r);
}
