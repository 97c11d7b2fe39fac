// SPDX-License-Identifier: BSD-3-Clause
// Flushes: of L0 and L1 on request, with a message to other boxes; of L0 by messages of other
// boxes. Each resolver flushes its part of L0; L1, and the messages, are the first one's.
#include "resolver_flush.h"

#include "base/loop.h"
#include "base/rng.h"
#include "l1/flush.h"
#include "resolvers.h"

#include <event2/event.h>

#include <errno.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>

// A step takes some 0.1 ms, and a quarter of a millisecond where it deletes every record. Flushes
// of other boxes have longer pauses: they may be forged.
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
	bool waits; // for questions of before an earlier flush, in the recursor
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
	struct event *whole; // step of the walk over all of its part
	uint64_t whole_cursor, removed_whole;
	bool is_walked;     // the walk has ended, and the first resolver does not know
	uint32_t turn;      // of the change that it walks for
	struct event *step; // of the first of `others`
	uint64_t cursor;
	unsigned others_count;
	struct flush others[OTHERS_MAX];
	uint64_t others_ms[OTHERS_MAX]; // when each came
	struct flush_status count;
};

static bool walk_step(struct resolver *r, const struct flush *what, uint64_t *cursor, uint64_t *n)
{
	*n += l0_writer_flush(r->l0, &what->name, what->kind != FLUSH_NAME, cursor, STEP_BUCKETS);
	return *cursor == 0;
}

// 0: once the loop has looked at everything else.
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

// Else the names would come back from there: the library has no call to forget one name. After a
// message of another box, which anybody may have sent, they may; names whose answer is local data
// never come from there. False: not yet.
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

// L0 and L1 after the recursor's caches: what these answer until then is not stored.
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
		j->got.l1_end = L1_FLUSH_AWAY; // until it says better
	}
	on_job_step(-1, EV_TIMEOUT, j);
}

void resolver_flush_beat(struct resolver *r)
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

// If the first resolver's mailbox is full, or memory short, its part counts later.
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

// As at a first start, where a walk would remove what was stored meanwhile.
static bool is_empty(const struct resolver *r)
{
	struct l0_writer_stats s;
	l0_writer_stats(r->l0, &s);
	return s.entries == 0;
}

void resolver_flush_whole(struct resolver *r)
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

// A message that was heard, on its way to another resolver.
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

// Whatever it says comes from Redis, which anybody may have written to.
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

// Until its flush begins the recursor may answer from its old caches.
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

int resolver_flush_open(struct resolver *r)
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

void resolver_flush_configure(struct resolver *r)
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

void resolver_flush_close(struct resolver *r)
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
		j->abandoned = true; // its message is still on the way
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

void resolver_flush_status(const struct resolver *r, struct flush_status *out)
{
	*out = r->flushes->count;
}

void resolver_flush_tables(const struct resolver *r, struct table_registry *t)
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
