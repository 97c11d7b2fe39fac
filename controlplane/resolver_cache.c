// SPDX-License-Identifier: BSD-3-Clause
#include "resolver_internal.h"

#include <event2/event.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/clock.h>

// Looks and deletions walk the whole index, in steps between which the loop does its work.
// A step is some 0.2 ms of looking, and half a millisecond where it deletes all that it meets.
enum { WALK_STEP_BUCKETS = 1024 };

struct walk {
	struct resolver *resolver;
	struct loop *reply_to;
	struct event *step;
	struct dns_name name;
	bool flush, subtree;
	uint64_t cursor, deleted;
	void (*got)(void *arg, int err, const struct cache_entry *entries, unsigned count);
	void (*flushed)(void *arg, int err, uint64_t deleted);
	void *arg;
	int err;
	unsigned count;
	struct cache_entry entry[]; // CACHE_GET_MAX for a look, none for a deletion
};

static void walk_deliver(void *arg)
{
	struct walk *w = arg;
	if (w->flush)
		w->flushed(w->arg, w->err, w->deleted);
	else
		w->got(w->arg, w->err, w->entry, w->count);
	free(w);
}

static void walk_end(struct walk *w)
{
	if (w->step)
		event_free(w->step);
	w->step = NULL;
	for (unsigned i = 0; i < RESOLVER_WALKS_MAX; i++)
		if (w->resolver->walk[i] == w)
			w->resolver->walk[i] = NULL;
	if (loop_call(w->reply_to, walk_deliver, w) < 0)
		free(w);
}

// As much of the reply message as the entry holds.
static void entry_message(struct cache_entry *e, const struct l0_view *v, uint32_t age_s)
{
	struct dns_query q = {
		.qtype = v->qtype,
		.qclass = v->qclass,
		.flags = v->key_flags & L0_KEY_CD ? DNS_FLAG_CD : 0,
		.name = {.len = v->name_len},
	};

	memcpy(q.name.wire, v->name, v->name_len);
	e->message_len = (uint16_t)(DNS_HEADER_LEN + v->name_len + 4 + v->answer.len);
	e->answer_len = answer_message(e->answer, sizeof(e->answer), &q, &v->answer, age_s);
}

static void entry_heat(struct cache_entry *e, const struct l0_view *v, const struct resolver *r)
{
	const struct refresh_policy *policy = refresh_policy(r->refresh);
	struct l0_key key = {
		.name = v->name,
		.name_len = v->name_len,
		.flags = v->key_flags,
		.qtype = v->qtype,
		.qclass = v->qclass,
		.view = v->view,
	};
	l0_key_hash(l0_writer_reader(r->l0), &key);
	const struct refresh_record record = {.soft_ms = v->soft_ms,
		.auth_ttl_s = v->auth_ttl_s,
		.heat = l0_writer_heat(r->l0, &key)};
	uint32_t due = refresh_swept_ms(policy, &record);

	e->hits_per_minute = refresh_rate(policy, record.heat);
	e->heat = refresh_heat_of(policy, &record);
	e->refresh_left_ms = due == REFRESH_NEVER ? INT64_MAX : (int64_t)due - (int64_t)e->age_ms;
}

static void entry_fill(struct cache_entry *e, const struct l0_view *v, uint64_t now_ms,
	const struct resolver *r, bool visited)
{
	uint64_t age_ms = now_ms > v->created_ms ? now_ms - v->created_ms : 0;

	*e = (struct cache_entry){
		.qtype = v->qtype,
		.qclass = v->qclass,
		.view = v->view,
		.key_flags = v->key_flags,
		.rcode = v->answer.rcode,
		.ancount = v->answer.ancount,
		.nscount = v->answer.nscount,
		.arcount = v->answer.arcount,
		.units = v->units,
		.age_ms = age_ms,
		.soft_left_ms = (int64_t)v->soft_ms - (int64_t)age_ms,
		.hard_left_ms = (int64_t)v->hard_ms - (int64_t)age_ms,
		.auth_ttl_s = v->auth_ttl_s,
		.visited = visited,
	};
	entry_heat(e, v, r);
	entry_message(e, v, (uint32_t)(age_ms / 1000));
}

static bool look_at(struct walk *w, uint32_t record, uint64_t now_ms)
{
	struct resolver *r = w->resolver;
	struct l0_view v;

	if (!l0_record_read(l0_writer_reader(r->l0), record, &v) || v.name_len != w->name.len
		|| memcmp(v.name, w->name.wire, v.name_len) != 0)
		return false;
	entry_fill(&w->entry[w->count++], &v, now_ms, r, lanes_visited(r->lanes, record));
	return w->count == CACHE_GET_MAX;
}

// Every record is a line that is in no cache.
static void look_ahead(const struct l0_reader *l0, uint64_t bucket)
{
	if (bucket > l0->bucket_mask)
		return;
	for (unsigned i = 0; i < L0_BUCKET_SLOTS; i++) {
		uint32_t record =
			atomic_load_explicit(&l0->buckets[bucket].record[i], memory_order_relaxed);
		if (record < l0->unit_count)
			__builtin_prefetch(l0->units + (size_t)record * L0_UNIT);
	}
}

static void look_step(struct walk *w)
{
	const struct l0_reader *l0 = l0_writer_reader(w->resolver->l0);
	uint64_t end = w->cursor + WALK_STEP_BUCKETS, now_ms = clock_mono_ms();
	bool full = false;

	if (end > l0->bucket_mask)
		end = l0->bucket_mask + 1;
	for (; w->cursor < end && !full; w->cursor++) {
		const struct l0_bucket *b = &l0->buckets[w->cursor];
		look_ahead(l0, w->cursor + 2);
		for (unsigned i = 0; i < L0_BUCKET_SLOTS && !full; i++)
			if (atomic_load(&b->tag[i]) != 0)
				full = look_at(w, atomic_load(&b->record[i]), now_ms);
	}
	if (full || w->cursor > l0->bucket_mask)
		w->cursor = 0;
}

static void on_walk_step(evutil_socket_t fd, short what, void *arg)
{
	struct walk *w = arg;
	(void)fd, (void)what;

	if (w->flush)
		w->deleted += l0_writer_flush(
			w->resolver->l0, &w->name, w->subtree, &w->cursor, WALK_STEP_BUCKETS);
	else
		look_step(w);
	bool done = w->cursor == 0;
	if (!done && event_add(w->step, &(struct timeval){0}) < 0)
		w->err = -ENOMEM;
	if (done || w->err)
		walk_end(w);
}

static void walk_begin(void *arg)
{
	struct walk *w = arg;
	struct resolver *r = w->resolver;
	unsigned i = 0;

	while (i < RESOLVER_WALKS_MAX && r->walk[i])
		i++;
	if (i < RESOLVER_WALKS_MAX)
		w->step = event_new(loop_base(r->loop), -1, 0, on_walk_step, w);
	if (!w->step) {
		w->err = i < RESOLVER_WALKS_MAX ? -ENOMEM : -EAGAIN;
		walk_end(w);
		return;
	}
	r->walk[i] = w;
	on_walk_step(-1, EV_TIMEOUT, w);
}

void walks_free(struct resolver *r)
{
	for (unsigned i = 0; i < RESOLVER_WALKS_MAX; i++) {
		if (!r->walk[i])
			continue;
		event_free(r->walk[i]->step);
		free(r->walk[i]);
	}
}

static int walk_call(struct resolver *r, const struct walk *from, unsigned entries)
{
	struct walk *w = calloc(1, sizeof(*w) + entries * sizeof(w->entry[0]));
	if (!w)
		return -ENOMEM;
	memcpy(w, from, sizeof(*w));
	w->resolver = r;
	int rc = loop_call(r->loop, walk_begin, w);
	if (rc < 0)
		free(w);
	return rc;
}

int resolver_cache_get(struct resolver *r, const struct dns_name *name, struct loop *reply_to,
	void (*done)(void *arg, int err, const struct cache_entry *entries, unsigned count),
	void *arg)
{
	const struct walk w = {.reply_to = reply_to, .name = *name, .got = done, .arg = arg};
	return walk_call(r, &w, CACHE_GET_MAX);
}

int resolver_cache_flush(struct resolver *r, const struct dns_name *name, bool subtree,
	struct loop *reply_to, void (*done)(void *arg, int err, uint64_t deleted), void *arg)
{
	const struct walk w = {
		.reply_to = reply_to,
		.name = *name,
		.flush = true,
		.subtree = subtree,
		.flushed = done,
		.arg = arg,
	};
	return walk_call(r, &w, 0);
}
