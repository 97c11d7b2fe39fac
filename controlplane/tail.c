// SPDX-License-Identifier: BSD-3-Clause
#include "tail.h"

#include "row_text.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct reader {
	char *buffer; // NULL: nobody
	size_t used;
	uint64_t missed; // since `used` was 0
	struct tail_filter filter;
};

struct tail {
	pthread_mutex_t lock;
	struct reader reader[TAIL_READERS_MAX];
	struct tail_counts counts;
};

int tail_open(struct tail **out)
{
	struct tail *t = calloc(1, sizeof *t);
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
	free(t);
}

static bool is_text(struct querylog_text text, const char *wanted)
{
	return strlen(wanted) == text.len && strncasecmp(text.at, wanted, text.len) == 0;
}

static bool passes(const struct tail_filter *f, const struct querylog_row *row)
{
	if (f->client[0] && !is_text(row->client, f->client)
		&& !is_text(row->client_name, f->client))
		return false;
	if (f->verdict[0] && !is_text(row->verdict, f->verdict))
		return false;
	if (f->group[0] && !is_text(row->group, f->group))
		return false;
	return !f->name[0] || query_name_below(row->qname.at, f->name);
}

// Behind a row that was left out none is given until the reader has been told.
static bool row_give(struct reader *r, const struct querylog_row *row, const char *box)
{
	char line[ROW_LINE_MAX];
	size_t len = r->missed ? 0 : row_to_json(row, box, line, sizeof line);
	if (len == 0 || len > TAIL_BUFFER_MAX - r->used) {
		r->missed++;
		return false;
	}
	memcpy(r->buffer + r->used, line, len);
	r->used += len;
	return true;
}

static void batch_give(struct tail *t, struct reader *r, const struct querylog_batch *b)
{
	for (unsigned i = 0; i < b->count; i++) {
		if (!passes(&r->filter, &b->row[i]))
			continue;
		if (row_give(r, &b->row[i], b->box))
			t->counts.rows++;
		else
			t->counts.missed++;
	}
}

static bool on_take(void *arg, const struct querylog_batch *b)
{
	struct tail *t = arg;
	pthread_mutex_lock(&t->lock);
	for (unsigned i = 0; i < TAIL_READERS_MAX; i++)
		if (t->reader[i].buffer)
			batch_give(t, &t->reader[i], b);
	pthread_mutex_unlock(&t->lock);
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
	char *buffer = malloc(TAIL_BUFFER_MAX);
	if (!buffer)
		return -ENOMEM;
	pthread_mutex_lock(&t->lock);
	int place = place_find(t);
	if (place >= 0) {
		t->reader[place] = (struct reader){.buffer = buffer, .filter = *f};
		t->counts.joined++;
		t->counts.readers++;
		*reader = (unsigned)place;
	} else {
		t->counts.refused++;
	}
	pthread_mutex_unlock(&t->lock);
	if (place < 0)
		free(buffer);
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
	free(buffer);
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
