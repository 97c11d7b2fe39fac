// SPDX-License-Identifier: BSD-3-Clause
// A resolver: flushes, watches, upstream queries through worker rings, renewals ahead of expiry,
// status, timers and settings, open and close.

#include "base/leak_demo.h"
#include "base/loop.h"
#include "base/rng.h"
#include "l1/flush.h"
#include "policy/lease_names.h"
#include "question.h"
#include "resolver_check.h"
#include "resolver_internal.h"
#include "resolver_log.h"
#include "resolver_miss.h"
#include "resolver_store.h"
#include "resolvers.h"
#include "route/host_board.h"
#include "route/route_board.h"

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/keyhash.h>
#include <weir/log.h>

static void resolver_flush_configure(struct resolver *r);

// Flushes. On request weir flushes L0 and L1, and sends a message to other boxes; on a message of
// another box it flushes L0. Each resolver flushes its part of L0; the first resolver also flushes
// L1, and sends and gets the messages.

// A step takes some 0.1 ms, and a quarter of a millisecond where it deletes every record. Flushes
// for other boxes have longer pauses: their messages may be forged.
enum {
	STEP_BUCKETS = 512,
	OTHERS_PAUSE_MS = 2,
	OTHERS_MAX = 16,
	PUBLISH_MS = 1000,
	WALKED_AGAIN_MS = 100,
};

struct flush_job { // requested on this box
	struct loop_ask ask;
	struct resolver *resolver;
	struct event *step;
	struct flush what;
	uint64_t cursor;
	struct l1_flush *l1;
	bool waits; // for the recursor's questions from before an earlier flush
	bool walking, publishing, abandoned;
	bool tells_others;
	resolver_flush_fn done;
	void *arg;
	int err;
	struct cache_flushed got;
};

struct flushes {
	struct resolver *resolver;
	uint64_t box;
	char channel[L1_INDEX_MAX];
	struct flush_log log;
	struct flush_gate gate;
	struct flush_job *job[RESOLVER_WALKS_MAX];
	struct event *whole; // step of the walk over the resolver's whole part
	uint64_t whole_cursor, removed_whole;
	bool is_walked;     // the walk has ended, and the first resolver does not know
	uint32_t turn;      // turn of the change that the walk is for
	struct event *step; // step of the walk for others[0]
	uint64_t cursor;
	unsigned others_count;
	struct flush others[OTHERS_MAX];
	uint64_t others_ms[OTHERS_MAX]; // when each message came
	struct flush_status count;
};

static bool walk_step(struct resolver *r, const struct flush *what, uint64_t *cursor, uint64_t *n)
{
	*n += l0_writer_flush(r->l0, &what->name, what->kind != FLUSH_NAME, cursor, STEP_BUCKETS);
	return *cursor == 0;
}

// Arms the timer of a step. `pause_ms` 0: after the loop's other events.
static void step_arm(struct event *step, unsigned pause_ms)
{
	event_add(step, &(struct timeval){.tv_usec = pause_ms * 1000});
}

static void job_free(struct flush_job *j)
{
	if (j->step)
		event_free(j->step);
	heap_free(j);
}

static void job_deliver(void *arg)
{
	struct flush_job *j = arg;
	j->done(j->arg, j->err, &j->got);
}

static void job_look(struct flush_job *j)
{
	struct flushes *f = j->resolver->flushes;
	if (j->walking || j->publishing || j->l1)
		return;
	for (unsigned i = 0; i < RESOLVER_WALKS_MAX; i++)
		if (f->job[i] == j)
			f->job[i] = NULL;
	if (j->step)
		event_free(j->step);
	j->step = NULL;
	loop_answer(&j->ask);
}

static void on_job_step(evutil_socket_t, short, void *arg)
{
	struct flush_job *j = arg;
	j->walking = !walk_step(j->resolver, &j->what, &j->cursor, &j->got.l0);
	if (j->walking)
		step_arm(j->step, 0);
	else
		job_look(j);
}

static void on_l1_flushed(void *arg, enum l1_flush_end end, uint64_t removed)
{
	struct flush_job *j = arg;
	j->l1 = NULL;
	j->got.l1_end = end;
	j->got.l1 = removed;
	job_look(j);
}

static void on_published(void *arg, enum redis_end end, const struct redis_reply *)
{
	struct flush_job *j = arg;
	j->publishing = false;
	if (j->abandoned) {
		job_free(j);
		return;
	}
	j->got.told = end == REDIS_DONE;
	j->resolver->flushes->count.told += j->got.told;
	job_look(j);
}

static void job_publish(struct flush_job *j)
{
	char text[FLUSH_MESSAGE_MAX];
	const char *channel = j->resolver->flushes->channel;
	size_t len = flush_write(&j->what, j->resolver->flushes->box, text);
	const struct redis_command c = {
		3, {{"PUBLISH", 7}, {channel, strlen(channel)}, {text, len}}};
	j->publishing = redis_send(l1_redis(j->resolver->l1), &c, 1, PUBLISH_MS, on_published, j);
}

// Empties the recursor's caches, or flushed names would come back from there: libunbound has no
// call to forget one name. Not for changed local data, which never comes from the recursor; nor
// does a message of another box, which anybody may have sent, empty it. False: not yet possible.
static bool recursion_flush(struct flush_job *j)
{
	const struct resolver *r = j->resolver;
	const bool is_due = j->what.kind == FLUSH_ALL || j->tells_others;
	int rc = r->recursor && is_due ? recursor_flush(r->recursor) : 0;

	j->got.recursion_failed = rc < 0 && rc != -EAGAIN;
	if (j->got.recursion_failed)
		log_warning("recursion: cache not emptied by the flush: %s", strerror(-rc));
	return rc != -EAGAIN;
}

// Flushes L0 and L1 once the recursor's caches are empty: answers from them are not stored until
// then.
static void job_run(struct flush_job *j)
{
	struct resolver *r = j->resolver;

	j->waits = !recursion_flush(j);
	if (j->waits)
		return;
	flush_log_add(&r->flushes->log, &j->what, clock_mono_ms());
	// After a flush weir asks the upstreams again; not for other boxes' flushes, which could
	// keep a failing name hammering them.
	failures_clear_all(r->failures);
	bogus_names_clear_all(&r->bogus_names);
	if (r->index > 0 || redis_is_off(l1_redis(r->l1))) {
		j->got.l1_end = L1_FLUSH_OFF;
	} else {
		if (j->tells_others)
			job_publish(j);
		j->l1 = l1_flush_start(r->loop, r->l1, &j->what, on_l1_flushed, j);
		j->got.l1_end = L1_FLUSH_AWAY; // until l1_flush_start's result
	}
	on_job_step(-1, EV_TIMEOUT, j);
}

// Each 100 ms: begins flushes that waited for the recursor.
static void resolver_flush_beat(struct resolver *r)
{
	for (unsigned i = 0; i < RESOLVER_WALKS_MAX; i++) {
		struct flush_job *j = r->flushes->job[i];
		if (j && j->waits)
			job_run(j);
	}
}

static void job_begin(void *arg)
{
	struct flush_job *j = arg;
	struct resolver *r = j->resolver;
	struct flushes *f = r->flushes;
	unsigned i = 0;

	while (i < RESOLVER_WALKS_MAX && f->job[i])
		i++;
	if (i < RESOLVER_WALKS_MAX)
		j->step = event_new(loop_base(r->loop), -1, 0, on_job_step, j);
	if (!j->step) {
		j->err = i < RESOLVER_WALKS_MAX ? -ENOMEM : -EAGAIN;
		job_look(j);
		return;
	}
	f->job[i] = j;
	f->count.asked++;
	j->walking = true;
	job_run(j);
}

int resolver_cache_flush(struct resolver *r, const struct flush *what, bool tells_others,
	struct loop *reply_to, resolver_flush_fn done, void *arg)
{
	struct flush_job *j = heap_calloc(1, sizeof(*j));
	if (j)
		*j = (struct flush_job){
			.ask = {.reply_to = reply_to, .work = job_begin, .deliver = job_deliver},
			.resolver = r,
			.what = *what,
			.tells_others = tells_others,
			.done = done,
			.arg = arg};
	return loop_ask(r->loop, j);
}

// Reports that the part is empty; later if the first resolver's mailbox is full, or memory short.
static void whole_end(struct flushes *f)
{
	f->is_walked = !resolvers_part_emptied(f->resolver, f->turn, f->removed_whole);
	if (f->is_walked)
		step_arm(f->whole, WALKED_AGAIN_MS);
}

static void on_whole_step(evutil_socket_t, short, void *arg)
{
	static const struct flush all = {.kind = FLUSH_ALL, .name = {.len = 1}};
	struct flushes *f = arg;

	if (f->is_walked || walk_step(f->resolver, &all, &f->whole_cursor, &f->removed_whole))
		whole_end(f);
	else
		step_arm(f->whole, 0);
}

// Whether L0 has no records, as at a first start: a walk would only remove new ones.
static bool is_empty(const struct resolver *r)
{
	struct l0_writer_stats s;
	l0_writer_stats(r->l0, &s);
	return s.entries == 0;
}

// Empties the resolver's part of L0, if resolvers_empty_all says so.
static void resolver_flush_whole(struct resolver *r)
{
	struct flushes *f = r->flushes;

	if (f->turn == r->all->fill.turn)
		return;
	f->turn = r->all->fill.turn;
	f->whole_cursor = f->removed_whole = 0;
	f->is_walked = false;
	(void)event_del(f->whole);
	if (is_empty(r))
		whole_end(f);
	else
		step_arm(f->whole, 0);
}

static void on_others_step(evutil_socket_t, short, void *arg)
{
	struct flushes *f = arg;
	if (walk_step(f->resolver, &f->others[0], &f->cursor, &f->count.removed_for_others)) {
		f->others_count--;
		memmove(f->others, f->others + 1, f->others_count * sizeof(f->others[0]));
		memmove(f->others_ms, f->others_ms + 1, f->others_count * sizeof(f->others_ms[0]));
	}
	if (f->others_count)
		step_arm(f->step, OTHERS_PAUSE_MS);
}

static void others_add(struct flushes *f, const struct flush *what, uint64_t now_ms)
{
	flush_log_add(&f->log, what, now_ms);
	f->others_ms[f->others_count] = now_ms;
	f->others[f->others_count++] = *what;
	if (f->others_count == 1)
		step_arm(f->step, 0);
}

// A flush that another box sent, on its way to another resolver.
struct heard {
	struct flushes *to;
	struct flush what;
};

static void on_heard(void *arg)
{
	struct heard *h = arg;
	if (h->to->others_count < OTHERS_MAX)
		others_add(h->to, &h->what, clock_mono_ms());
	else
		h->to->count.refused++;
	heap_free(h);
}

static void heard_pass(struct flushes *f, const struct flush *what)
{
	const struct resolvers *all = f->resolver->all;

	for (unsigned i = 1; i < all->count; i++) {
		struct heard *h = heap_malloc(sizeof(*h));
		if (h)
			*h = (struct heard){all->one[i]->flushes, *what};
		if (!h || loop_call(all->one[i]->loop, on_heard, h) < 0) {
			heap_free(h);
			f->count.refused++;
		}
	}
}

// The text comes from Redis, where anybody may have written it.
static void on_message(void *arg, const char *text, size_t len)
{
	struct flushes *f = arg;
	struct flush what;
	uint64_t box, now_ms = clock_mono_ms();

	if (!flush_parse(text, len, &what, &box)) {
		f->count.bad++;
	} else if (box == f->box) {
		f->count.own++;
	} else if (f->others_count == OTHERS_MAX || !flush_admit(&f->gate, what.kind, now_ms)) {
		f->count.refused++;
	} else {
		f->count.heard++;
		others_add(f, &what, now_ms);
		heard_pass(f, &what);
	}
}

static void on_gap(void *arg)
{
	struct flushes *f = arg;
	f->count.subscribed++;
}

// Does a flush of the name wait? Until it begins the recursor may answer from old caches.
static bool flush_waits(const struct flushes *f, const struct dns_name *name)
{
	for (unsigned i = 0; i < RESOLVER_WALKS_MAX; i++)
		if (f->job[i] && f->job[i]->waits && flush_fits(&f->job[i]->what, name))
			return true;
	return false;
}

bool resolver_flush_covers(
	struct resolver *r, const struct dns_name *name, uint64_t since_ms, uint64_t now_ms)
{
	const struct flushes *f = r->flushes;
	bool covers = flush_log_covers(&f->log, name, since_ms, now_ms) || flush_waits(f, name);
	r->flushes->count.kept_out += covers;
	return covers;
}

static int resolver_flush_open(struct resolver *r)
{
	struct rng rng = {0};
	struct flushes *f = heap_calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	r->flushes = f;
	f->resolver = r;
	rng_bytes(&rng, &f->box, sizeof(f->box));
	f->step = event_new(loop_base(r->loop), -1, 0, on_others_step, f);
	f->whole = event_new(loop_base(r->loop), -1, 0, on_whole_step, f);
	if (!f->step || !f->whole)
		return -ENOMEM;
	resolver_flush_configure(r);
	return 0;
}

// After l1_configure, which sets the channel's namespace.
static void resolver_flush_configure(struct resolver *r)
{
	struct flushes *f = r->flushes;
	char channel[L1_INDEX_MAX];
	l1_meta_name(r->l1, FLUSH_CHANNEL, channel);
	if (strcmp(channel, f->channel) == 0)
		return;
	memcpy(f->channel, channel, sizeof(channel));
	if (r->index > 0)
		return;
	redis_subscribe(l1_redis(r->l1), f->channel, on_message, on_gap, f);
}

// Before l1_free.
static void resolver_flush_close(struct resolver *r)
{
	struct flushes *f = r->flushes;
	if (!f)
		return;
	redis_subscribe(l1_redis(r->l1), NULL, NULL, NULL, NULL);
	for (unsigned i = 0; i < RESOLVER_WALKS_MAX; i++) {
		struct flush_job *j = f->job[i];
		if (!j)
			continue;
		l1_flush_stop(j->l1);
		j->abandoned = true; // the message is still on the way
		event_del(j->step);
		if (!j->publishing)
			job_free(j);
	}
	if (f->step)
		event_free(f->step);
	if (f->whole)
		event_free(f->whole);
	FREE_AND_NULL(r->flushes);
}

static void resolver_flush_status(const struct resolver *r, struct flush_status *out)
{
	*out = r->flushes->count;
}

static void resolver_flush_tables(const struct resolver *r, struct table_registry *t)
{
	const struct flushes *f = r->flushes;
	uint64_t now_ms = clock_mono_ms();
	table_register(
		t, &(struct table_info){.name = "flush_log",
			   .owner = "resolver loop",
			   .eviction = "evict the oldest; all that is older counts as flushed",
			   .lifetime = "15 s",
			   .kind = TABLE_CACHE,
			   .stay_ms = 15000,
			   .cap = FLUSH_LOG_MAX,
			   .used = flush_log_used(&f->log, now_ms),
			   .evicted = f->log.lost,
			   .oldest_ms = table_age(flush_log_since(&f->log, now_ms), now_ms),
			   .has = TABLE_AGES | TABLE_EVICTS,
			   .bytes = sizeof(f->log)});
	table_register(
		t, &(struct table_info){.name = "flush_queue",
			   .owner = "resolver loop",
			   .eviction = "refuse",
			   .lifetime = "until done",
			   .kind = TABLE_WORK,
			   .cap = OTHERS_MAX,
			   .used = f->others_count,
			   .refused = f->count.refused,
			   .oldest_ms = f->others_count ? table_age(f->others_ms[0], now_ms) : 0,
			   .has = TABLE_AGES | TABLE_REFUSES,
			   .bytes = sizeof(f->others)});
}

trace_handle resolver_trace_start(struct resolver *r, struct trace *t, const struct dns_query *q)
{
	t->qtype = q->qtype;
	t->name_len = q->question_len ? q->name.len : 0;
	memcpy(t->name, q->name.wire, t->name_len);
	return traces_start(r->traces, t);
}

static void resolver_trace_tables(const struct resolver *r, struct table_registry *tables)
{
	struct traces_counts c;
	traces_counts(r->traces, &c);
	table_register(tables, &(struct table_info){.name = "trace",
				       .owner = "resolver loop",
				       .eviction = "leave the next step out",
				       .lifetime = "life of the question, 5 s",
				       TABLE_WORK_FOR(5000),
				       .cap = TRACES_MAX,
				       .used = c.live,
				       .high = c.most,
				       .bytes = c.bytes,
				       .refused = c.left_out,
				       .oldest_ms = table_age(c.since_ms, clock_mono_ms()),
				       .has = TABLE_AGES | TABLE_REFUSES});
}

struct watch_call {
	struct resolver *resolver;
	bool is_begin;
	struct dp_watch filter;
	trace_put_fn put;
	void *arg;
};

static void watch_apply(void *arg)
{
	struct watch_call *c = arg;
	struct traces *t = c->resolver->traces;
	if (!c->is_begin)
		traces_end(t);
	else if (traces_begin(t, &c->filter, c->put, c->arg) < 0)
		log_info("a watch: no memory for what the control plane does");
	heap_free(c);
}

int resolver_watch(struct resolver *r, const struct dp_watch *filter, trace_put_fn put, void *arg)
{
	struct watch_call *c = heap_calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->resolver = r;
	c->is_begin = filter != NULL;
	if (filter)
		c->filter = *filter;
	c->put = put;
	c->arg = arg;
	int rc = loop_call(r->loop, watch_apply, c);
	if (rc < 0)
		heap_free(c);
	return rc;
}

// Sends through the workers in turn; a worker without room is passed over.
static int port_send(
	void *arg, const struct msg_send *m, const uint8_t *dns, uint64_t allowed, unsigned *worker)
{
	struct resolver *r = arg;
	int rc = -ENOLINK;

	for (unsigned i = 0; i < SHM_WORKERS_MAX && rc < 0; i++) {
		r->port_worker = (r->port_worker + 1) % SHM_WORKERS_MAX;
		if (!(allowed >> r->port_worker & 1))
			continue;
		rc = worker_rings_send(r->worker_rings, r->port_worker, m, dns);
		*worker = r->port_worker;
	}
	return rc;
}

static uint64_t port_live(void *arg, uint64_t *incarnation)
{
	const struct resolver *r = arg;

	*incarnation = worker_rings_incarnation(r->worker_rings);
	return worker_rings_live(r->worker_rings, clock_mono_ms(), UPSTREAM_PORT_DEAD_MS);
}

static void port_heard(void *arg, const struct msg_heard *m, const uint8_t *dns)
{
	struct resolver *r = arg;
	upstream_port_heard(r->port, m, dns);
}

// Lets upstream queries go through the worker rings (upstream/upstream_udp.h), to live workers in
// turn. Before the loop runs; only with a port.
static void resolver_port_open(struct resolver *r)
{
	const struct upstream_port_calls calls = {.send = port_send, .live = port_live, .arg = r};

	upstream_port_serve(r->port, &calls);
	worker_rings_hear(r->worker_rings, port_heard, r);
}

enum {
	STEP_WORK_US = 300, // time of the loop for steps, before a pause
	STEP_PAUSE_US = 2000,
	JITTER_MS = 5000,
};

static struct timeval timeval_of_ms(uint32_t ms)
{
	return (struct timeval){.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
}

// Boxes that share upstreams and were started together sweep at different times.
static uint32_t host_jitter_ms(void)
{
	char name[256] = "";

	(void)!gethostname(name, sizeof(name) - 1);
	return (uint32_t)(contenthash(name, strlen(name)) % JITTER_MS);
}

static void sweep_arm(struct resolver *r, uint32_t extra_ms)
{
	const struct timeval tv =
		timeval_of_ms(refresh_policy(r->refresh)->sweep_interval_ms + extra_ms);

	event_add(r->sweep, &tv);
}

static void on_sweep_step(evutil_socket_t, short, void *arg)
{
	struct resolver *r = arg;
	uint64_t start_us = clock_mono_us(), now_ms = clock_mono_ms();
	bool done;

	do
		done = refresh_sweep_step(r->refresh, now_ms, REFRESH_STEP_BUCKETS);
	while (!done && clock_mono_us() - start_us < STEP_WORK_US);
	if (!done)
		event_add(r->sweep_step, &(struct timeval){.tv_usec = STEP_PAUSE_US});
}

// Begins a round, unless the last one still runs (a very large cache).
static void sweep_begin(struct resolver *r)
{
	if (event_pending(r->sweep_step, EV_TIMEOUT, NULL))
		return;
	refresh_sweep_begin(r->refresh, clock_mono_ms());
	event_add(r->sweep_step, &(struct timeval){.tv_usec = STEP_PAUSE_US});
}

static void on_sweep(evutil_socket_t, short, void *arg)
{
	struct resolver *r = arg;
	sweep_begin(r);
	sweep_arm(r, 0);
}

// Parses the request's question, as the miss ring would bring it.
static bool query_of(const struct refresh_request *q, struct dns_query *out)
{
	uint8_t msg[DNS_HEADER_LEN + UPSTREAM_QUESTION_MAX] = {0};
	uint8_t *end = msg + DNS_HEADER_LEN + q->name_len;

	put_u16(msg + 2, DNS_FLAG_RD | (q->key_flags & L0_KEY_CD ? DNS_FLAG_CD : 0));
	put_u16(msg + 4, 1);
	memcpy(msg + DNS_HEADER_LEN, q->name, q->name_len);
	put_u16(end, q->qtype);
	put_u16(end + 2, q->qclass);
	if (dns_query_parse(msg, (size_t)(end + 4 - msg), out) != DNS_QUERY_OK)
		return false;
	out->dnssec_ok = q->key_flags & L0_KEY_DO;
	return true;
}

// A renewal has no client, so it sends no subnet, and its answer would be for weir's own network.
// Clients whose servers get subnets therefore ask again themselves once the record has expired.
// Where workers serve expired records at once (`stale: immediate`) clients would not, so the record
// is deleted: the next client's question is a miss.
static void leave_to_clients(struct resolver *r, const struct l0_key *key, uint64_t now_ms)
{
	struct l0_view v;

	if (r->set.stale_immediate && store_find(r, key, &v) && l0_age_of(&v, now_ms) != L0_FRESH)
		(void)l0_writer_delete(r->l0, key);
}

// Starts a renewal. One question for each key: the in-flight table is the lock.
static enum refresh_started on_start(void *arg, struct refresh_request *request)
{
	struct resolver *r = arg;
	struct dns_query query;
	uint64_t now_ms = clock_mono_ms();
	struct view *view = views_find(r->views, request->view);

	// The view's groups are gone: no client will read the record again.
	if (!view || view->left_ms)
		return REFRESH_IS_ASKED;
	if (!query_of(request, &query))
		return REFRESH_NO_ROOM;
	const struct l0_key key = {
		.hash = request->hash,
		.name = query.name.wire,
		.name_len = query.name.len,
		.flags = request->key_flags,
		.qtype = request->qtype,
		.qclass = request->qclass,
		.view = request->view,
	};
	// A client's question that failed a moment ago counts like one in flight.
	if (inflight_find(r->inflight, &key, NULL)
		|| failures_recent(r->failures, key.hash, now_ms))
		return REFRESH_IS_ASKED;
	// An answer to ANY is of before a reload: once it has ended workers give the minimal one.
	if (question_sends_subnet(r, view, &query)
		|| (query.qtype == DNS_TYPE_ANY && r->set.any_minimal)) {
		leave_to_clients(r, &key, now_ms);
		return REFRESH_IS_ASKED;
	}
	struct question *q;
	const uint64_t servers = question_l1_hash(r, view, &query.name, query.qtype);
	if (inflight_add(r->inflight, &key, &query, NULL, servers, true, now_ms, &q) != BOUND_none)
		return REFRESH_NO_ROOM;
	q->owner = r;
	q->def = view;
	q->request = request;
	LEAK_DEMO(refresh, 4000);
	q->born_ms = now_ms;
	question_start(q, now_ms);
	return REFRESH_UNDER_WAY;
}

// Marks of requests to an earlier process keep records from being renewed, until a sweep clears
// them.
static void on_marks(void *arg)
{
	struct resolver *r = arg;
	sweep_begin(r);
}

static int resolver_refresh_open(struct resolver *r)
{
	const struct refresh_ops ops = {.start = on_start, .arg = r};
	struct event_base *base = loop_base(r->loop);
	int rc = refresh_new(&r->refresh, r->l0, &ops);

	if (rc < 0)
		return rc;
	r->sweep = event_new(base, -1, 0, on_sweep, r);
	r->sweep_step = event_new(base, -1, 0, on_sweep_step, r);
	if (!r->sweep || !r->sweep_step)
		return -ENOMEM;
	worker_rings_on_marks(r->worker_rings, on_marks, r);
	return 0;
}

static void resolver_refresh_configure(struct resolver *r, const struct config *config)
{
	const bool first = !event_pending(r->sweep, EV_TIMEOUT, NULL);
	const uint32_t interval_ms = refresh_policy(r->refresh)->sweep_interval_ms;
	struct config_refresh c = config->refresh;

	c.max_inflight = resolver_share(r, c.max_inflight);
	c.max_batch = resolver_share(r, c.max_batch);
	refresh_configure(
		r->refresh, &c, &config->cache, resolver_share(r, config->limits.inflight));
	if (first || refresh_policy(r->refresh)->sweep_interval_ms != interval_ms)
		sweep_arm(r, first ? host_jitter_ms() : 0);
}

static void resolver_refresh_close(struct resolver *r)
{
	if (r->sweep)
		event_free(r->sweep);
	if (r->sweep_step)
		event_free(r->sweep_step);
	refresh_free(r->refresh);
}

void resolver_refresh_report(const struct resolver *r, struct refresh_report *out)
{
	refresh_report(r->refresh, clock_mono_ms(), out);
}

static void status_tables(const struct resolver *r, struct table_registry *t)
{
	const bool is_first = r->index == 0;
	uint64_t now_ms = clock_mono_ms();
	struct table_info failed = (struct table_info){.name = "failures",
		.lifetime = "cache.failure_ttl to 8 s, plus 60 s of its doubling"};

	link_tables(r->link, r->index, t);
	if (is_first)
		publisher_tables(r->publisher, t);
	inflight_tables(r->inflight, t);
	bound_log_table(&r->met_bounds, now_ms, t);
	kept_queries_table(&r->kept_queries,
		(struct table_info){.name = "kept_queries",
			.owner = "resolver loop",
			.oldest_ms = inflight_waiting_ms(r->inflight, now_ms)},
		t);
	views_tables(r->views, t);
	if (is_first)
		views_shared_tables(r->views, t);
	question_tables(r, t);
	validators_tables(r->validators, t);
	if (r->recursor)
		recursor_tables(r->recursor, t);
	failures_table(r->failures, now_ms, &failed);
	table_register(t, &failed);
	bogus_names_table(&r->bogus_names, now_ms, t);
	l1_tables(r->l1, t);
	if (is_first) {
		l1_sweep_tables(r->l1_sweep, t);
		resolver_check_tables(r, t);
	}
	refresh_tables(r->refresh, now_ms, t);
	resolver_flush_tables(r, t);
	resolver_trace_tables(r, t);
}

bool resolver_hangs(const struct resolver *r)
{
	return publisher_resolver_hangs(r->publisher, r->index);
}

static void upstream_totals_copy(const struct upstream_totals *t, struct resolver_status *s)
{
	s->upstream_sent = t->sent;
	s->upstream_replies = t->replies;
	s->mismatched = t->mismatched;
	s->subnet_sent = t->subnet_sent;
	s->subnet_mismatched = t->subnet_mismatched;
	s->upstream_tcp_again = t->tcp_again;
	s->upstream_sets = t->sets;
	s->upstream_sets_down = t->sets_down;
	s->streams = t->streams;
	s->https = t->https;
	s->sockets = t->sockets;
}

void resolver_status(struct resolver *r, struct resolver_status *s)
{
	struct inflight_stats inflight;
	struct worker_rings_stats worker_rings;
	struct ring_mesh_status clients;
	struct upstream_totals upstream;
	struct publish_status published;

	*s = r->count;
	l0_writer_stats(r->l0, &s->l0);
	publish_status(r->publisher, &published);
	s->l0_bytes = published.l0_bytes;
	s->l0_private_bytes = l0_writer_memory(r->l0);
	inflight_stats(r->inflight, &inflight);
	s->inflight = inflight.questions;
	s->inflight_max = inflight.questions_max;
	s->inflight_cap = inflight.questions_cap;
	s->waiters = inflight.waiters;
	s->waiter_cap = inflight.waiters_cap;
	s->refused_inflight = inflight.refused.full;
	s->refused_zone = inflight.refused.zone;
	s->refused_suffix = inflight.refused.suffix;
	s->refused_waiters = inflight.refused.waiters;
	s->refused_client = inflight.refused.client;
	s->unlimited_zone = inflight.let_in.zone;
	s->unlimited_client = inflight.let_in.client;
	bound_log_top(&r->met_bounds, clock_mono_ms(), &s->met_bounds);
	s->failures = failures_used(r->failures, clock_mono_ms());
	worker_rings_stats(r->worker_rings, &worker_rings);
	ring_mesh_status(r->clients, &clients);
	s->ring_anomalies = worker_rings.ring_anomalies + clients.anomalies + r->record_anomalies;
	s->foreign_messages += worker_rings.foreign + worker_rings.answer_foreign;
	s->answer_ring_full = worker_rings.answer_ring_full;
	s->answer_evicted = worker_rings.answer_evicted;
	s->link_up = r->index == 0 && link_up(r->link);
	s->dp_incarnation = worker_rings_incarnation(r->worker_rings);
	s->worker_rings = worker_rings_count(r->worker_rings);
	loop_lag_minute(r->loop, &s->lag);
	loop_lag_now(r->loop, &s->lag_ever);
	s->loop_busy_us = loop_busy_minute_us(r->loop);
	views_totals(r->views, &upstream);
	upstream_totals_copy(&upstream, s);
	l1_status(r->l1, &s->l1);
	if (r->l1_sweep)
		l1_sweep_status(r->l1_sweep, &s->l1_sweep);
	if (r->port)
		upstream_port_stats(r->port, &s->port);
	s->upstream_count = upstreams_status(views_everyone(r->views)->upstreams, s->upstream);
	resolver_flush_status(r, &s->flush);
	validators_status(r->validators, &s->validation);
	if (r->recursor)
		recursor_status(r->recursor, &s->recursion);
	status_tables(r, &s->tables);
}

static enum pending_step step_of(const struct question *q, const struct upstream_progress *p)
{
	static const uint8_t steps[] = {
		[UPSTREAM_STEP_NONE] = PENDING_none,
		[UPSTREAM_STEP_UDP] = PENDING_udp,
		[UPSTREAM_STEP_CONNECTION] = PENDING_connection,
		[UPSTREAM_STEP_TCP] = PENDING_tcp,
		[UPSTREAM_STEP_LATE] = PENDING_late,
	};
	if (q->validation)
		return PENDING_validation;
	return q->look ? PENDING_l1 : (enum pending_step)steps[p->step];
}

static void question_fill(struct pending_question *out, const struct question *q, uint64_t now_us)
{
	const struct upstream_progress p = upstream_ask_progress(&q->ask);
	const uint64_t born_us = q->born_ms * 1000;

	*out = (struct pending_question){
		.name = q->query.name,
		.qtype = q->query.qtype,
		.view = q->view,
		.is_renewal = q->request != NULL,
		.clients = q->waiters,
		.step = step_of(q, &p),
		.server = p.server,
		.attempts = p.sends,
		.age_ms = now_us > born_us ? (now_us - born_us) / 1000 : 0,
		.waited_ms = p.since_us && now_us > p.since_us ? (now_us - p.since_us) / 1000 : 0,
	};
}

void resolver_pending(const struct resolver *r, unsigned limit, struct pending_question *room,
	struct resolver_pending *out)
{
	const struct inflight *f = r->inflight;
	const uint64_t now_us = clock_mono_us();
	struct inflight_stats stats;
	const struct question *q = NULL;

	inflight_stats(f, &stats);
	*out = (struct resolver_pending){
		.total = stats.questions, .clients = stats.waiters, .question = room};
	while (out->count < limit && (q = inflight_younger(f, q)))
		question_fill(&room[out->count++], q, now_us);
}

enum { BEAT_MS = 100 };

// Moves one slice in each iteration of the loop, so that replies are read in between.
static void on_move(evutil_socket_t, short, void *arg)
{
	struct resolver *r = arg;
	if (upstream_port_move(r->port))
		(void)event_add(r->move, &(struct timeval){0});
}

static void hosts_follow(struct resolver *r)
{
	const uint64_t turn = host_board_turn();

	if (r->hosts_turn == turn)
		return;
	r->hosts_turn = turn;
	views_follow_hosts(r->views);
}

static void on_beat(evutil_socket_t, short, void *arg)
{
	struct resolver *r = arg;
	if (clock_mono_ms() >= atomic_load(&r->views_keep_ms))
		views_sweep(r->views, clock_mono_ms());
	hosts_follow(r);
	resolver_step_beat(r);
	validators_beat(r->validators);
	recursor_beat(r->recursor);
	resolver_flush_beat(r);
	if (r->port && upstream_port_beat(r->port))
		(void)event_add(r->move, &(struct timeval){0});
	refresh_run(r->refresh, clock_mono_ms());
	resolver_log_beat(r->log);
	traces_beat(r->traces, clock_mono_ms());
}

static int timers_open(struct resolver *r)
{
	struct event_base *base = loop_base(r->loop);

	r->beat = event_new(base, -1, EV_PERSIST, on_beat, r);
	r->move = event_new(base, -1, 0, on_move, r);
	if (!r->beat || !r->move
		|| event_add(r->beat, &(struct timeval){.tv_usec = BEAT_MS * 1000}) < 0)
		return -ENOMEM;
	return 0;
}

static struct failures_spans failure_spans(const struct config *c)
{
	const uint32_t first_ms = c->cache.failure_ttl_s * 1000;
	return (struct failures_spans){
		.first_ms = first_ms,
		.longest_ms = first_ms > FAILURE_LONGEST_MS ? first_ms : FAILURE_LONGEST_MS,
		.memory_ms = FAILURE_MEMORY_MS,
	};
}

unsigned resolver_share(const struct resolver *r, unsigned limit)
{
	const unsigned share = limit / r->all->count;
	return share || !limit ? share : 1;
}

static void settings_apply(struct resolver *r, const struct config *c)
{
	r->set = (struct resolver_settings){
		.ttl = ttl_rules_of(&c->cache),
		.stale_ttl_s = c->cache.stale_ttl_s,
		.any_minimal = c->access.any_minimal,
		.rotate = c->cache.rotate,
		.missing_forward = c->local.missing_forward,
		.sends_subnet = config_sends_subnet(c),
		.stale_immediate = c->cache.stale_immediate,
		.client_ttl_cap_s = c->cache.client_ttl_cap_s,
		.waiters = c->limits.waiters,
		.answer_deadline_ms = c->limits.answer_deadline_ms,
		.udp_reply_size = c->limits.udp_reply_size,
		.config = c,
	};
	r->set.ttl.limits.svc_strip = c->blocking.https_strip;
	config_identity_take(c, &r->set.identity);
	inflight_set_limits(
		r->inflight, &(struct inflight_limits){
				     .questions = resolver_share(r, c->limits.inflight),
				     .zone_questions = resolver_share(r, c->limits.zone_inflight),
				     .client_waiters = resolver_share(r, c->limits.client_waiters),
			     });
	inflight_exempt(r->inflight, &c->limits);
}

static int parts_open(struct resolver *r, const struct config *config)
{
	const struct failures_spans spans = failure_spans(config);
	int rc = inflight_new(&r->inflight, resolver_share(r, RESOLVER_QUESTIONS_MAX),
		resolver_share(r, RESOLVER_WAITERS_MAX), &r->kept_queries);
	if (rc == 0) {
		settings_apply(r, config);
		rc = failures_new(&r->failures, FAILURES_BUCKETS, &spans);
	}
	if (rc == 0)
		rc = question_validators_open(r);
	if (rc == 0)
		question_validators_configure(r, config);
	if (rc == 0)
		rc = l1_new(&r->l1, r->loop, config);
	if (rc == 0 && r->index == 0)
		rc = l1_sweep_new(
			&r->l1_sweep, r->loop, r->l1, &config->redis, question_l1_drop, r);
	if (rc == 0)
		rc = resolver_flush_open(r);
	if (rc == 0)
		rc = resolver_check_open(r);
	if (rc == 0)
		rc = resolver_step_open(r);
	if (rc == 0 && r->index == 0)
		resolvers_empty_all(r, view_everyone_hash(config), false);
	if (rc == 0)
		resolver_flush_whole(r);
	if (rc == 0)
		rc = resolver_refresh_open(r);
	if (rc == 0)
		resolver_refresh_configure(r, config);
	if (rc == 0)
		rc = resolver_log_open(&r->log);
	if (rc == 0)
		rc = timers_open(r);
	return rc;
}

int resolver_open(struct resolver **out, const struct resolver_given *given,
	const struct config *config, char why[SHM_WHY_MAX])
{
	struct resolver *r = heap_calloc(1, sizeof(*r));
	snprintf(why, SHM_WHY_MAX, "no memory for the resolver");
	if (!r)
		return -ENOMEM;
	r->all = given->all;
	r->index = given->index;
	r->loop = given->loop;
	r->publisher = given->publisher;
	r->link = given->link;
	r->worker_rings = link_worker_rings(given->link, given->index);
	r->l0 = link_l0(given->link, given->index);
	r->views = given->views;
	r->port = given->port;
	r->recursor = given->recursor;
	r->notify = given->notify;
	r->lookups = given->lookups;
	int rc = traces_new(&r->traces);
	if (rc == 0)
		rc = ring_mesh_open(&r->clients, given->frontends, CLIENT_RESOLVERS, r->index,
			r->loop, resolver_client_take, r);
	if (rc == 0)
		rc = parts_open(r, config);
	if (rc < 0) {
		resolver_close(r);
		return rc;
	}
	r->callbacks = (struct upstream_callbacks){
		.reply = question_replied,
		.ended = question_failed,
		.watched = traces_live(r->traces),
		.note = question_upstream_note,
	};
	worker_rings_serve(r->worker_rings, resolver_miss, r);
	if (r->port)
		resolver_port_open(r);
	*out = r;
	return 0;
}

static void timer_free(struct event *e)
{
	if (e)
		event_free(e);
}

void resolver_close(struct resolver *r)
{
	struct question *q;

	if (!r)
		return;
	if (r->traces)
		traces_end(r->traces);
	while (r->inflight && (q = inflight_younger(r->inflight, NULL)))
		question_finish(q, REFRESH_ABANDONED);
	validators_free(r->validators);
	resolver_log_close(r->log);
	resolver_cache_close(r);
	resolver_flush_close(r);
	resolver_check_close(r);
	resolver_step_close(r);
	timer_free(r->beat);
	timer_free(r->move);
	resolver_refresh_close(r);
	lease_names_release(r->leases);
	traces_free(r->traces);
	l1_free(r->l1);
	l1_sweep_free(r->l1_sweep);
	failures_free(r->failures);
	bogus_names_free(&r->bogus_names);
	inflight_free(r->inflight);
	ring_mesh_close(r->clients);
	heap_free(r);
}

static void log_set(struct resolver *r, const struct config *config)
{
	enum log_detail detail = (enum log_detail)config_log_detail(config);
	resolver_log_set(r->log, config_log_sample(config), detail);
	r->kept_queries.is_on = detail == LOG_DETAIL_MESSAGES;
}

int resolver_recursion_configure(struct recursor *recursor, const struct config *config)
{
	const struct config_upstreams *u = &config->upstreams;
	const struct config_dnssec *d = &config->dnssec;
	const uint64_t part[3] = {u->root_hints_hash, d->hash, u->recursion_ip};
	struct recursor_settings set = {
		.is_on = u->mode != UPSTREAM_FORWARD,
		.ip = u->recursion_ip,
		.root_hints = u->root_hints ? u->root_hints : "",
		.validates = d->validate,
		.trusted = question_trusted(d),
		.hash = contenthash(part, sizeof(part)),
	};

	set.range_count = set.is_on ? route_board_ranges_of(config, set.range) : 0;
	return recursor ? recursor_configure(recursor, &set) : 0;
}

// Recursion starts before the servers that use it, and ends after them.
static int servers_configure(struct resolver *r, const struct config *config)
{
	const bool is_used = config->upstreams.mode != UPSTREAM_FORWARD;
	int rc = views_have_room(r->views, config);

	if (rc == 0 && is_used)
		rc = resolver_recursion_configure(r->recursor, config);
	if (rc == 0)
		rc = views_configure(r->views, config, clock_mono_ms());
	return rc < 0 || is_used ? rc : resolver_recursion_configure(r->recursor, config);
}

int resolver_reconfigure(struct resolver *r, const struct config *config)
{
	uint32_t turn = views_turn(r->views);
	int rc = servers_configure(r, config);
	if (rc < 0)
		return rc;
	if (r->index == 0)
		resolvers_empty_all(r, view_everyone_hash(config), views_turn(r->views) == turn);
	resolver_flush_whole(r);
	if (r->lookups)
		upstream_lookups_configure(r->lookups, config);
	settings_apply(r, config);
	question_validators_configure(r, config);
	r->is_off = config->resolver_off;
	if (r->logs)
		log_set(r, config);
	l1_configure(r->l1, config);
	resolver_flush_configure(r);
	if (r->l1_sweep)
		l1_sweep_configure(r->l1_sweep, &config->redis);
	const struct failures_spans spans = failure_spans(config);
	failures_configure(r->failures, &spans);
	failures_clear_all(r->failures);
	bogus_names_clear_all(&r->bogus_names);
	resolver_refresh_configure(r, config);
	return 0;
}

int resolver_follow(struct resolver *r, const struct config *config,
	const struct policy_group group[POLICY_GROUPS_MAX])
{
	views_recover(r->views, group, POLICY_GROUPS_MAX);
	return resolver_reconfigure(r, config);
}

void resolver_group_view(const struct resolver *r, unsigned group, struct policy_group *out)
{
	const struct view *view = views_of_group(r->views, group);
	out->view = view->number;
	out->view_hash = view->hash;
	resolver_safe_view(r, group + 1, out);
}

void resolver_safe_view(const struct resolver *r, unsigned group, struct policy_group *out)
{
	const struct view *safe = views_safe(r->views, group);
	out->safe_view = safe ? safe->number : 0;
	out->safe_hash = safe ? safe->hash : 0;
}

void resolver_groups_published(struct resolver *r, bool published)
{
	if (!published)
		atomic_store(&r->views_keep_ms, UINT64_MAX);
	else if (atomic_load(&r->views_keep_ms) == UINT64_MAX)
		atomic_store(&r->views_keep_ms, clock_mono_ms() + VIEWS_GRACE_MS);
}

int resolver_set_log(struct resolver *r, struct querylog *q, const struct config *config)
{
	int rc = resolver_log_source(r->log, q);
	if (rc < 0)
		return rc;
	r->logs = true;
	log_set(r, config);
	if (r->index == 0)
		worker_rings_set_log(r->worker_rings, q);
	return 0;
}

struct loop *resolver_loop(const struct resolver *r)
{
	return r->loop;
}

void resolver_end_log(struct resolver *r)
{
	resolver_log_end(r->log);
}
