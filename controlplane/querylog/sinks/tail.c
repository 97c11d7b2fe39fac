// SPDX-License-Identifier: BSD-3-Clause
#include "tail.h"

#include "querylog/row_text.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <weir/heap_site.h>

struct reader {
	char *buffer; // NULL: no reader
	size_t used;
	uint64_t missed; // rows missed since `used` was 0
	uint64_t joined; // number among all readers that ever joined
	struct tail_filter filter;
};

struct tail {
	pthread_mutex_t lock;
	struct reader reader[TAIL_READERS_MAX];
	struct tail_counts counts;
};

int tail_open(struct tail **out)
{
	struct tail *t = heap_calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	pthread_mutex_init(&t->lock, NULL);
	*out = t;
	return 0;
}

void tail_free(struct tail *t)
{
	if (!t)
		return;
	pthread_mutex_destroy(&t->lock);
	heap_free(t);
}

static bool is_text(struct querylog_text text, const char *wanted)
{
	return strlen(wanted) == text.len && strncasecmp(text.at, wanted, text.len) == 0;
}

// "blocked" matches all blocked queries, whatever their verdict, as in a search.
static bool is_verdict(const struct querylog_row *row, const char *wanted)
{
	return is_text(row->verdict, wanted)
	       || (row->is_blocked && strcasecmp(wanted, "blocked") == 0);
}

static bool passes(const struct tail_filter *f, const struct querylog_row *row)
{
	if (f->client[0] && !is_text(row->client, f->client)
		&& !is_text(row->client_name, f->client))
		return false;
	if (f->verdict[0] && !is_verdict(row, f->verdict))
		return false;
	if (f->validation[0]
		&& strcmp(querylog_validation_names[row->validation], f->validation) != 0)
		return false;
	if (f->group[0] && !query_group_is(row->group.at, f->group))
		return false;
	return !f->name[0] || query_name_below(row->qname.at, f->name);
}

// A copy of a reader at the start of a batch: rows are filtered and formatted without the lock.
struct look {
	bool is_there, is_full; // full: rows after a missed one are missed too
	uint64_t joined, missed;
	struct tail_filter filter;
};

static bool looks_take(struct tail *t, struct look look[TAIL_READERS_MAX])
{
	bool any = false;
	pthread_mutex_lock(&t->lock);
	for (unsigned i = 0; i < TAIL_READERS_MAX; i++) {
		const struct reader *r = &t->reader[i];
		look[i].is_there = r->buffer != NULL;
		if (!r->buffer)
			continue;
		any = true;
		look[i].is_full = false;
		look[i].joined = r->joined;
		look[i].missed = 0;
		look[i].filter = r->filter;
	}
	pthread_mutex_unlock(&t->lock);
	return any;
}

static bool is_same(const struct reader *r, const struct look *l)
{
	return r->buffer && r->joined == l->joined;
}

static void line_give(
	struct tail *t, struct reader *r, struct look *l, const char *line, size_t len)
{
	pthread_mutex_lock(&t->lock);
	if (!is_same(r, l)) {
		l->is_there = false;
	} else if (r->missed || len == 0 || len > TAIL_BUFFER_MAX - r->used) {
		l->is_full = true;
		l->missed++;
	} else {
		memcpy(r->buffer + r->used, line, len);
		r->used += len;
		t->counts.rows++;
	}
	pthread_mutex_unlock(&t->lock);
}

static void row_give(struct tail *t, struct look look[TAIL_READERS_MAX],
	const struct querylog_row *row, const char *box)
{
	char line[ROW_LINE_MAX];
	size_t len = 0;
	bool is_made = false;
	for (unsigned i = 0; i < TAIL_READERS_MAX; i++) {
		if (!look[i].is_there || !passes(&look[i].filter, row))
			continue;
		if (look[i].is_full) {
			look[i].missed++;
			continue;
		}
		if (!is_made)
			len = row_text_json(row, box, line, sizeof(line));
		is_made = true;
		line_give(t, &t->reader[i], &look[i], line, len);
	}
}

static void looks_settle(struct tail *t, const struct look look[TAIL_READERS_MAX])
{
	pthread_mutex_lock(&t->lock);
	for (unsigned i = 0; i < TAIL_READERS_MAX; i++) {
		if (!look[i].is_there || !is_same(&t->reader[i], &look[i]))
			continue;
		t->reader[i].missed += look[i].missed;
		t->counts.missed += look[i].missed;
	}
	pthread_mutex_unlock(&t->lock);
}

static bool on_take(void *arg, const struct querylog_batch *b)
{
	struct tail *t = arg;
	struct look look[TAIL_READERS_MAX];
	if (!looks_take(t, look))
		return true;
	for (unsigned i = 0; i < b->count; i++)
		row_give(t, look, &b->row[i], b->box);
	looks_settle(t, look);
	return true;
}

struct querylog_sink tail_sink(struct tail *t)
{
	return (struct querylog_sink){.name = "tail", .take = on_take, .arg = t};
}

static int place_find(const struct tail *t)
{
	for (int i = 0; i < TAIL_READERS_MAX; i++)
		if (!t->reader[i].buffer)
			return i;
	return -EUSERS;
}

int tail_join(struct tail *t, const struct tail_filter *f, unsigned *reader)
{
	char *buffer = heap_malloc(TAIL_BUFFER_MAX);
	if (!buffer)
		return -ENOMEM;
	pthread_mutex_lock(&t->lock);
	int place = place_find(t);
	if (place >= 0) {
		t->counts.joined++;
		t->reader[place] =
			(struct reader){.buffer = buffer, .filter = *f, .joined = t->counts.joined};
		t->counts.readers++;
		*reader = (unsigned)place;
	} else {
		t->counts.refused++;
	}
	pthread_mutex_unlock(&t->lock);
	if (place < 0)
		heap_free(buffer);
	return place < 0 ? place : 0;
}

void tail_leave(struct tail *t, unsigned reader, bool is_cut)
{
	pthread_mutex_lock(&t->lock);
	char *buffer = t->reader[reader].buffer;
	t->reader[reader].buffer = NULL;
	t->counts.readers--;
	t->counts.cut += is_cut;
	pthread_mutex_unlock(&t->lock);
	heap_free(buffer);
}

size_t tail_take(struct tail *t, unsigned reader, char *out, uint64_t *missed)
{
	struct reader *r = &t->reader[reader];
	pthread_mutex_lock(&t->lock);
	size_t len = r->used;
	memcpy(out, r->buffer, len);
	*missed = r->missed;
	r->used = 0;
	r->missed = 0;
	pthread_mutex_unlock(&t->lock);
	return len;
}

void tail_counts(struct tail *t, struct tail_counts *out)
{
	pthread_mutex_lock(&t->lock);
	*out = t->counts;
	pthread_mutex_unlock(&t->lock);
}
