// SPDX-License-Identifier: BSD-3-Clause
// Flushes: of L0 and L1 on request, with a message to other boxes; of L0 by messages of other
// boxes.
#include "resolver_flush.h"

#include "base/loop_ask.h"
#include "base/rng.h"
#include "l1/flush_log.h"

#include <event2/event.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/log.h>

// A step takes some 0.1 ms, and a quarter of a millisecond where it deletes every record. Flushes
// of other boxes have longer pauses: they may be forged.
enum {
	STEP_BUCKETS = 512,
	OTHERS_PAUSE_MS = 2,
	OTHERS_MAX = 16,
	PUBLISH_MS = 1000,
};

struct flush_job { // requested on this box
	struct loop_ask ask;
	struct resolver *resolver;
	struct event *step;
	struct flush what;
	uint64_t cursor;
	struct l1_flush *l1;
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
	struct event *whole; // step of the walk over all of L0
	uint64_t whole_cursor, everyone, removed_whole;
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
	free(j);
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
	flush_log_add(&f->log, &j->what, clock_mono_ms());
	// After a flush weir asks the upstreams again; not for other boxes' flushes, which could
	// keep a failing name hammering them.
	failures_clear_all(r->failures);
	j->walking = true;
	if (redis_is_off(l1_redis(r->l1))) {
		j->got.l1_end = L1_FLUSH_OFF;
	} else {
		if (j->tells_others)
			job_publish(j);
		j->l1 = l1_flush_start(r->loop, r->l1, &j->what, on_l1_flushed, j);
		j->got.l1_end = L1_FLUSH_AWAY; // until it says better
	}
	on_job_step(-1, EV_TIMEOUT, j);
}

int resolver_cache_flush(struct resolver *r, const struct flush *what, bool tells_others,
	struct loop *reply_to, resolver_flush_fn done, void *arg)
{
	struct flush_job *j = calloc(1, sizeof(*j));
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

static _Atomic uint64_t *filled_by(const struct flushes *f)
{
	return &publisher_directory(f->resolver->publisher)->filled_by;
}

static void on_whole_step(evutil_socket_t fd, short what, void *arg)
{
	static const struct flush all = {.kind = FLUSH_ALL, .name = {.len = 1}};
	struct flushes *f = arg;
	(void)fd, (void)what;
	if (!walk_step(f->resolver, &all, &f->whole_cursor, &f->removed_whole)) {
		step_arm(f->whole, 0);
		return;
	}
	atomic_store(filled_by(f), f->everyone);
	if (f->removed_whole > 0)
		log_info("upstreams or forwarding changed: %" PRIu64 " cached answers removed",
			f->removed_whole);
}

// As at a first start, where a walk would remove what was stored meanwhile.
static bool is_empty(const struct resolver *r)
{
	struct l0_writer_stats s;
	l0_writer_stats(r->l0, &s);
	return s.entries == 0;
}

// A control plane that dies during the walk leaves 0, so the next one begins it again.
void resolver_flush_everyone(struct resolver *r, uint64_t everyone, bool same_servers)
{
	struct flushes *f = r->flushes;
	bool walks = event_pending(f->whole, EV_TIMEOUT, NULL);

	f->everyone = everyone;
	if (walks && same_servers)
		return;
	if (same_servers || is_empty(r)) {
		atomic_store(filled_by(f), everyone);
	} else if (atomic_load(filled_by(f)) != everyone) {
		atomic_store(filled_by(f), 0);
		f->whole_cursor = f->removed_whole = 0;
		step_arm(f->whole, 0);
	}
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
		flush_log_add(&f->log, &what, now_ms);
		f->others_ms[f->others_count] = now_ms;
		f->others[f->others_count++] = what;
		if (f->others_count == 1)
			step_arm(f->step, 0);
	}
}

static void on_gap(void *arg)
{
	struct flushes *f = arg;
	f->count.subscribed++;
}

bool resolver_flush_covers(struct resolver *r, const struct dns_name *name, uint64_t since_ms)
{
	bool covers = flush_log_covers(&r->flushes->log, name, since_ms, clock_mono_ms());
	r->flushes->count.kept_out += covers;
	return covers;
}

int resolver_flush_open(struct resolver *r)
{
	struct rng rng = {0};
	struct flushes *f = calloc(1, sizeof(*f));
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
	free(f);
	r->flushes = NULL;
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
			   .cap = OTHERS_MAX,
			   .used = f->others_count,
			   .refused = f->count.refused,
			   .oldest_ms = f->others_count ? table_age(f->others_ms[0], now_ms) : 0,
			   .has = TABLE_AGES | TABLE_REFUSES,
			   .bytes = sizeof(f->others)});
}
