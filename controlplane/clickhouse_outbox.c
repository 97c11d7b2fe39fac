// SPDX-License-Identifier: BSD-3-Clause
#include "clickhouse_outbox.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/clock.h>

struct clickhouse_outbox {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	char folder[PATH_MAX - 256];
	uint64_t spool_max_bytes, memory_max_bytes;
	struct clickhouse_spool spool;
	bool is_spool_open, is_failing, is_closed;
	struct clickhouse_parcel chunk[CLICKHOUSE_OUTBOX_MAX]; // a ring
	unsigned first;
	struct clickhouse_outbox_counts counts;
};

static int spool_open(struct clickhouse_outbox *o)
{
	if (o->is_spool_open)
		return 0;
	int ret = clickhouse_spool_open(&o->spool, o->folder, o->spool_max_bytes);
	o->is_spool_open = ret == 0;
	return ret;
}

static void spool_count(struct clickhouse_outbox *o)
{
	struct clickhouse_outbox_counts *c = &o->counts;
	const struct clickhouse_spool *s = &o->spool;
	if (!o->is_spool_open)
		return;
	c->spooled = s->count;
	c->spool_bytes = s->bytes;
	c->dropped_chunks = s->dropped_files;
	c->dropped_rows = s->dropped_rows;
	c->dropped_weight = s->dropped_weight;
	if (s->count > c->spooled_most)
		c->spooled_most = s->count;
}

int clickhouse_outbox_open(
	struct clickhouse_outbox **out, const struct clickhouse_outbox_settings *s)
{
	struct clickhouse_outbox *o = calloc(1, sizeof *o);
	if (!o)
		return -ENOMEM;
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&o->lock, NULL);
	pthread_cond_init(&o->changed, &attr);
	pthread_condattr_destroy(&attr);
	snprintf(o->folder, sizeof o->folder, "%s", s->folder);
	o->spool_max_bytes = o->counts.spool_max_bytes = s->spool_max_bytes;
	o->memory_max_bytes = o->counts.bytes_max = s->memory_max_bytes;
	o->counts.spool_err = spool_open(o);
	spool_count(o);
	*out = o;
	return 0;
}

static void memory_pop(struct clickhouse_outbox *o)
{
	o->counts.bytes -= o->chunk[o->first].what.bytes;
	o->first = (o->first + 1) % CLICKHOUSE_OUTBOX_MAX;
	o->counts.chunks--;
}

void clickhouse_outbox_free(struct clickhouse_outbox *o)
{
	if (!o)
		return;
	while (o->counts.chunks) {
		free(o->chunk[o->first].body);
		memory_pop(o);
	}
	if (o->is_spool_open)
		clickhouse_spool_close(&o->spool);
	pthread_cond_destroy(&o->changed);
	pthread_mutex_destroy(&o->lock);
	free(o);
}

static void lose(struct clickhouse_outbox *o, const struct clickhouse_spooled *what)
{
	o->counts.lost_chunks++;
	o->counts.lost_rows += what->rows;
	o->counts.lost_weight += what->weight;
}

// The oldest of memory to the end of the spool.
static int spill_one(struct clickhouse_outbox *o)
{
	struct clickhouse_parcel *p = &o->chunk[o->first];
	int ret = spool_open(o);
	if (ret == 0 && !o->is_failing && !clickhouse_spool_has_room(&o->spool, p->what.bytes))
		return -EAGAIN;
	if (ret == 0)
		ret = clickhouse_spool_put(&o->spool, &p->what, p->body);
	o->counts.spool_err = ret;
	if (ret)
		return ret;
	free(p->body);
	memory_pop(o);
	o->counts.spilled++;
	spool_count(o);
	return 0;
}

static bool memory_has_room(const struct clickhouse_outbox *o, uint64_t bytes)
{
	return o->counts.chunks < CLICKHOUSE_OUTBOX_MAX
	       && (!o->counts.chunks || o->counts.bytes + bytes <= o->memory_max_bytes);
}

int clickhouse_outbox_put(
	struct clickhouse_outbox *o, const struct clickhouse_spooled *what, void *body)
{
	struct clickhouse_outbox_counts *c = &o->counts;
	int ret = 0;
	pthread_mutex_lock(&o->lock);
	while (ret == 0 && !memory_has_room(o, what->bytes))
		ret = spill_one(o);
	if (memory_has_room(o, what->bytes)) {
		o->chunk[(o->first + c->chunks++) % CLICKHOUSE_OUTBOX_MAX] =
			(struct clickhouse_parcel){*what, body, false, clock_mono_ms()};
		c->bytes += what->bytes;
		if (c->chunks > c->chunks_most)
			c->chunks_most = c->chunks;
		while (o->is_failing && c->chunks && spill_one(o) == 0)
			;
		pthread_cond_signal(&o->changed);
		ret = 0;
	}
	c->refused += ret < 0;
	pthread_mutex_unlock(&o->lock);
	return ret;
}

void clickhouse_outbox_close(struct clickhouse_outbox *o)
{
	pthread_mutex_lock(&o->lock);
	o->is_closed = true;
	pthread_cond_broadcast(&o->changed);
	pthread_mutex_unlock(&o->lock);
}

static bool is_want(int err)
{
	return err == -ENOMEM || err == -EMFILE || err == -ENFILE;
}

// A file that cannot be read is lost, but for want of memory or descriptors.
static int spool_take(struct clickhouse_outbox *o, struct clickhouse_parcel *out)
{
	while (o->is_spool_open && clickhouse_spool_first(&o->spool)) {
		const struct clickhouse_spooled what = *clickhouse_spool_first(&o->spool);
		void *body;
		int ret = clickhouse_spool_read(&o->spool, &body);
		if (ret == 0) {
			*out = (struct clickhouse_parcel){what, body, true, 0};
			o->spool.is_first_held = true;
			return 0;
		}
		if (is_want(ret))
			return ret;
		lose(o, &what);
		clickhouse_spool_remove(&o->spool);
		spool_count(o);
	}
	return -ENOENT;
}

int clickhouse_outbox_take(
	struct clickhouse_outbox *o, unsigned timeout_ms, struct clickhouse_parcel *out)
{
	const struct timespec until = clock_deadline(timeout_ms);
	pthread_mutex_lock(&o->lock);
	while (!o->counts.chunks && !(o->is_spool_open && o->spool.count) && !o->is_closed)
		if (pthread_cond_timedwait(&o->changed, &o->lock, &until) == ETIMEDOUT)
			break;
	int ret = spool_take(o, out);
	if (ret == -ENOENT && o->counts.chunks) {
		*out = o->chunk[o->first];
		memory_pop(o);
		ret = 0;
	}
	pthread_mutex_unlock(&o->lock);
	return ret;
}

void clickhouse_outbox_done(struct clickhouse_outbox *o, struct clickhouse_parcel *p)
{
	pthread_mutex_lock(&o->lock);
	if (p->is_spooled)
		clickhouse_spool_remove(&o->spool);
	spool_count(o);
	o->is_failing = false;
	pthread_mutex_unlock(&o->lock);
	free(p->body);
	p->body = NULL;
}

// To the front of the spool, for it is older than all there.
static int parcel_spool(struct clickhouse_outbox *o, struct clickhouse_parcel *p)
{
	int ret = p->is_spooled ? 0 : spool_open(o);
	if (ret == 0 && !p->is_spooled) {
		ret = clickhouse_spool_put_first(&o->spool, &p->what, p->body);
		o->counts.spool_err = ret;
		p->is_spooled = ret == 0;
	}
	spool_count(o);
	return ret;
}

void clickhouse_outbox_failed(struct clickhouse_outbox *o, struct clickhouse_parcel *p)
{
	pthread_mutex_lock(&o->lock);
	o->is_failing = true;
	(void)!parcel_spool(o, p);
	while (o->counts.chunks && spill_one(o) == 0)
		;
	pthread_mutex_unlock(&o->lock);
}

void clickhouse_outbox_give_back(struct clickhouse_outbox *o, struct clickhouse_parcel *p)
{
	pthread_mutex_lock(&o->lock);
	if (parcel_spool(o, p) < 0)
		lose(o, &p->what);
	if (o->is_spool_open)
		o->spool.is_first_held = false;
	pthread_mutex_unlock(&o->lock);
	free(p->body);
	p->body = NULL;
}

void clickhouse_outbox_spill(struct clickhouse_outbox *o)
{
	pthread_mutex_lock(&o->lock);
	o->is_failing = true; // nobody sends any more
	while (o->counts.chunks) {
		if (spill_one(o) == 0)
			continue;
		lose(o, &o->chunk[o->first].what);
		free(o->chunk[o->first].body);
		memory_pop(o);
	}
	pthread_mutex_unlock(&o->lock);
}

bool clickhouse_outbox_is_empty(struct clickhouse_outbox *o)
{
	pthread_mutex_lock(&o->lock);
	bool empty = !o->counts.chunks && !(o->is_spool_open && o->spool.count);
	pthread_mutex_unlock(&o->lock);
	return empty;
}

void clickhouse_outbox_counts(struct clickhouse_outbox *o, struct clickhouse_outbox_counts *out)
{
	pthread_mutex_lock(&o->lock);
	*out = o->counts;
	out->since_ms = o->counts.chunks ? o->chunk[o->first].put_ms : 0;
	const struct clickhouse_spooled *first =
		o->is_spool_open ? clickhouse_spool_first(&o->spool) : NULL;
	out->spool_hour = first ? first->hour : 0;
	pthread_mutex_unlock(&o->lock);
}
