// SPDX-License-Identifier: BSD-3-Clause
#include "refresh.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/heap_site.h>

enum { REFRESH_REQUESTS = CONFIG_REFRESH_INFLIGHT_MAX };
#define REFRESH_NIL UINT32_MAX

struct refresh {
	struct l0_writer *l0;
	struct refresh_ops ops;
	struct refresh_policy policy;
	bool stale_immediate;
	struct refresh_plan plan;
	struct failures *backoff;
	struct refresh_request *request; // REFRESH_REQUESTS
	uint32_t free, touched, inflight, inflight_limit, inflight_most;
	struct age_list ages;
	uint64_t refused;                  // due records that found no free request
	uint64_t anomalies;                // records that l0_find refused
	uint64_t used_before;              // renewed_used of l0 at the last run
	uint64_t round_began_ms, round_ms; // round_ms: time of the last round
	uint32_t between_ms;               // from the start of one round to the next
	struct l0_sweep sweep;
	uint64_t now_ms; // during a step
	struct refresh_stats stats;
};

static void plan(struct refresh *f, const struct l0_key *key, uint32_t record, uint64_t due_ms,
	uint64_t now_ms)
{
	const struct refresh_planned e = {
		.due_ms = due_ms, .record = record, .hash_low = (uint32_t)key->hash};

	if (!refresh_plan_insert(&f->plan, &e))
		refresh_stats_now(&f->stats, now_ms)->dropped++;
}

enum {
	RUN_MAX = 256,         // planned records checked by one refresh_run
	SWEEP_SLACK_MS = 2000, // how late the next sweep may be
	QUESTIONS_SHARE = 4,
	ELSEWHERE_MS = 1000, // until weir checks for another box's answer
	AGAIN_MS = 1000,     // until a hit that could not be served is reported again
};

static struct failures_spans spans_of(uint32_t s)
{
	return (struct failures_spans){.first_ms = s * 1000, .longest_ms = s * 1000};
}

int refresh_new(struct refresh **out, struct l0_writer *l0, const struct refresh_ops *ops)
{
	const struct failures_spans spans = spans_of(60);
	struct refresh *f = heap_calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->l0 = l0;
	f->ops = *ops;
	f->free = REFRESH_NIL;
	f->request = heap_calloc(REFRESH_REQUESTS, sizeof(*f->request));
	int rc = f->request ? refresh_plan_init(&f->plan, CONFIG_REFRESH_BATCH_MAX) : -ENOMEM;
	if (rc == 0)
		rc = failures_new(&f->backoff, REFRESH_BACKOFF_BUCKETS, &spans);
	if (rc < 0) {
		refresh_free(f);
		return rc;
	}
	*out = f;
	return 0;
}

void refresh_free(struct refresh *f)
{
	if (!f)
		return;
	failures_free(f->backoff);
	refresh_plan_destroy(&f->plan);
	FREE_AND_NULL(f->request);
	heap_free(f);
}

void refresh_configure(struct refresh *f, const struct config_refresh *c,
	const struct config_cache *cache, unsigned questions_limit)
{
	const struct failures_spans spans = spans_of(c->servfail_backoff_s);
	uint32_t share = questions_limit / QUESTIONS_SHARE;

	refresh_policy_of(c, cache->client_ttl_cap_s, &f->policy);
	f->stale_immediate = cache->stale_immediate;
	f->inflight_limit = c->max_inflight < share ? c->max_inflight : share;
	if (f->inflight_limit == 0)
		f->inflight_limit = 1;
	refresh_plan_limit(&f->plan, c->max_batch);
	// Other servers may answer, and no key may be held back for longer than the new setting.
	failures_configure(f->backoff, &spans);
	failures_clear_all(f->backoff);
}

const struct refresh_policy *refresh_policy(const struct refresh *f)
{
	return &f->policy;
}

static struct l0_key key_of(const struct refresh *f, const struct l0_view *v)
{
	struct l0_key key;
	l0_key_of_view(l0_writer_reader(f->l0), v, &key);
	return key;
}

// Records that are never renewed ahead: the root, and answers for one subnet, as a renewal has no
// client whose subnet it could send.
static bool is_never(const struct l0_view *v)
{
	return v->name_len == 1 || v->key_flags & L0_KEY_SUBNET;
}

static uint32_t find(
	struct refresh *f, const struct l0_key *key, uint64_t now_ms, struct l0_view *v)
{
	const struct l0_reader *l0 = l0_writer_reader(f->l0);
	uint32_t record = l0_find(l0, key, l0_candidate(l0, key->hash), &f->anomalies);

	if (record == L0_NONE || !l0_record_read(l0, record, v)
		|| l0_age_of(v, now_ms) == L0_HARD_EXPIRED)
		return L0_NONE;
	return record;
}

static struct refresh_record record_of(const struct l0_view *v, uint32_t heat)
{
	return (struct refresh_record){
		.soft_ms = v->soft_ms, .auth_ttl_s = v->auth_ttl_s, .heat = heat};
}

// When the next sweep will have seen every record.
static uint64_t horizon_ms(const struct refresh *f, uint64_t now_ms)
{
	uint64_t round = f->policy.sweep_interval_ms;
	if (f->round_ms > round)
		round = f->round_ms;
	return now_ms + round + SWEEP_SLACK_MS;
}

static uint32_t age_of(const struct l0_view *v, uint64_t now_ms)
{
	return now_ms > v->created_ms ? (uint32_t)(now_ms - v->created_ms) : 0;
}

// Age at which a record is due. Past its soft expiry the root is due, too.
static uint32_t due_of(
	const struct refresh *f, const struct l0_key *key, const struct l0_view *v, uint64_t now_ms)
{
	const struct refresh_record r = record_of(v, l0_writer_heat(f->l0, key));

	if (l0_age_of(v, now_ms) != L0_FRESH && !(v->key_flags & L0_KEY_SUBNET))
		return v->soft_ms;
	return is_never(v) ? REFRESH_NEVER : refresh_due_ms(&f->policy, &r);
}

// Clears the mark of a request that leads to no refresh, by writing the record again; not where a
// hit past the soft expiry is a miss, which needs no mark. Without room for the record the mark
// stays, and only a sweep plans the record.
static void put_off(
	struct refresh *f, const struct l0_key *key, const struct l0_view *v, uint64_t now_ms)
{
	const uint32_t age_ms = age_of(v, now_ms), due = due_of(f, key, v, now_ms);
	const bool is_ahead = age_ms < v->soft_ms && age_ms < due && due != REFRESH_NEVER;

	if (age_ms < v->stale_until_ms)
		return;
	if (is_ahead)
		(void)!l0_writer_tell_from(f->l0, key, due);
	else if (f->stale_immediate && age_ms < v->soft_ms)
		(void)!l0_writer_tell_from(f->l0, key, v->soft_ms);
	else if (f->stale_immediate)
		(void)!l0_writer_restamp(f->l0, key, age_ms + AGAIN_MS);
}

// Plans a record, unless it is due so late that a sweep will plan it. False: not planned.
static bool consider(struct refresh *f, const struct l0_key *key, uint32_t record,
	const struct l0_view *v, uint64_t now_ms)
{
	uint32_t due = due_of(f, key, v, now_ms);

	if (due == REFRESH_NEVER || v->created_ms + due >= horizon_ms(f, now_ms))
		return false;
	plan(f, key, record, v->created_ms + due, now_ms);
	return true;
}

void refresh_hit(struct refresh *f, const struct l0_key *key, uint64_t now_ms)
{
	struct l0_view v;
	uint32_t record = find(f, key, now_ms, &v);

	if (record != L0_NONE && !consider(f, key, record, &v, now_ms))
		put_off(f, key, &v, now_ms);
	refresh_run(f, now_ms);
}

void refresh_stored(struct refresh *f, const struct l0_key *key, uint32_t told_ms, uint64_t now_ms)
{
	struct l0_view v;

	if (told_ms >= f->policy.sweep_interval_ms + SWEEP_SLACK_MS)
		return;
	uint32_t record = find(f, key, now_ms, &v);
	if (record != L0_NONE)
		(void)consider(f, key, record, &v, now_ms);
}

void refresh_missed(
	struct refresh *f, const struct l0_key *key, const struct l0_view *v, uint64_t now_ms)
{
	const struct refresh_record r = record_of(v, l0_writer_heat(f->l0, key));
	uint64_t late = now_ms - v->created_ms - v->soft_ms;

	if (refresh_heat_of(&f->policy, &r) != REFRESH_HOT)
		return;
	struct refresh_counts *c = refresh_stats_now(&f->stats, now_ms);
	c->hot_missed++;
	c->late_ms = late > UINT32_MAX - c->late_ms ? UINT32_MAX : c->late_ms + (uint32_t)late;
}

// Hits of a round that came after the record's soft expiry, if they were spread evenly.
static uint32_t hits_after(const struct refresh *f, const struct l0_view *v, uint32_t hits)
{
	uint64_t soft_ms = v->created_ms + v->soft_ms;
	uint64_t after_ms = f->now_ms > soft_ms ? f->now_ms - soft_ms : 0;

	return after_ms >= f->between_ms ? hits : (uint32_t)(hits * after_ms / f->between_ms);
}

static void on_swept(void *arg, const struct l0_swept *s)
{
	struct refresh *f = arg;
	struct l0_view v;

	if (!l0_record_read(l0_writer_reader(f->l0), s->record, &v) || is_never(&v))
		return;
	const struct refresh_record r = record_of(&v, s->heat);
	uint32_t stale = hits_after(f, &v, s->hits);
	if (stale && refresh_heat_of(&f->policy, &r) == REFRESH_HOT)
		refresh_stats_now(&f->stats, f->now_ms)->hot_stale += stale;
	uint32_t due = refresh_swept_ms(&f->policy, &r);
	if (due == REFRESH_NEVER || v.created_ms + due >= horizon_ms(f, f->now_ms))
		return;
	const struct l0_key key = key_of(f, &v);
	if (!failures_recent(f->backoff, key.hash, f->now_ms))
		plan(f, &key, s->record, v.created_ms + due, f->now_ms);
}

void refresh_sweep_begin(struct refresh *f, uint64_t now_ms)
{
	uint64_t window = f->policy.window_ms, between = f->policy.sweep_interval_ms;

	if (f->round_began_ms)
		between = now_ms - f->round_began_ms;
	f->round_began_ms = now_ms;
	if (between == 0)
		between = 1;
	f->between_ms = between < UINT32_MAX ? (uint32_t)between : UINT32_MAX;
	bool within = between < window;
	f->sweep = (struct l0_sweep){
		.keep_256 =
			within ? (uint32_t)((256 * (window - between) + window / 2) / window) : 0,
		.weigh_256 = within ? 256 : (uint32_t)(256 * window / between),
		.heat_min = f->policy.warm_min,
		.met = f->policy.enabled ? on_swept : NULL,
		.arg = f,
	};
}

bool refresh_sweep_step(struct refresh *f, uint64_t now_ms, uint64_t buckets)
{
	f->now_ms = f->sweep.now_ms = now_ms;
	bool done = l0_writer_sweep(f->l0, &f->sweep, buckets);
	if (done)
		f->round_ms = now_ms - f->round_began_ms;
	return done;
}

// Is the planned record still in L0, under the same key?
static bool is_there(struct refresh *f, const struct refresh_planned *e, uint64_t now_ms,
	struct l0_view *v, struct l0_key *key)
{
	struct l0_view now;

	if (!l0_record_read(l0_writer_reader(f->l0), e->record, v))
		return false;
	*key = key_of(f, v);
	return (uint32_t)key->hash == e->hash_low && find(f, key, now_ms, &now) == e->record;
}

// Takes a request for a due record; NULL: as many as the limit are in flight.
static struct refresh_request *request_new(
	struct refresh *f, const struct l0_key *key, const struct l0_view *v)
{
	uint32_t i = f->free;

	if (f->inflight >= f->inflight_limit || f->inflight >= REFRESH_REQUESTS)
		return NULL;
	if (i != REFRESH_NIL)
		f->free = f->request[i].next;
	else
		i = f->touched++;
	if (++f->inflight > f->inflight_most)
		f->inflight_most = f->inflight;
	struct refresh_request *q = &f->request[i];
	*q = (struct refresh_request){
		.hash = key->hash,
		.qtype = key->qtype,
		.qclass = key->qclass,
		.view = key->view,
		.key_flags = key->flags,
		.name_len = v->name_len < DNS_NAME_MAX ? v->name_len : DNS_NAME_MAX,
	};
	memcpy(q->name, v->name, q->name_len);
	age_add(&f->ages, &q->age);
	return q;
}

static void request_give(struct refresh *f, struct refresh_request *q)
{
	age_remove(&f->ages, &q->age);
	q->next = f->free;
	f->free = (uint32_t)(q - f->request);
	f->inflight--;
}

// Starts the renewal of a record, if it is due and not held back.
static bool ask(
	struct refresh *f, const struct l0_key *key, const struct l0_view *v, uint64_t now_ms)
{
	struct refresh_counts *c = refresh_stats_now(&f->stats, now_ms);

	if (age_of(v, now_ms) < due_of(f, key, v, now_ms))
		return false;
	if (failures_recent(f->backoff, key->hash, now_ms)) {
		c->held_back++;
		return false;
	}
	struct refresh_request *q = request_new(f, key, v);
	const enum refresh_started started = q ? f->ops.start(f->ops.arg, q) : REFRESH_NO_ROOM;
	if (started == REFRESH_UNDER_WAY) {
		c->asked++;
		return true;
	}
	if (started == REFRESH_NO_ROOM) {
		f->refused++;
		c->dropped++;
	}
	if (q)
		request_give(f, q);
	return false;
}

static void run_one(struct refresh *f, const struct refresh_planned *e, uint64_t now_ms)
{
	struct l0_view v;
	struct l0_key key;

	if (is_there(f, e, now_ms, &v, &key) && !ask(f, &key, &v, now_ms)
		&& is_there(f, e, now_ms, &v, &key))
		put_off(f, &key, &v, now_ms);
}

void refresh_run(struct refresh *f, uint64_t now_ms)
{
	struct refresh_planned e;
	struct l0_writer_stats l0;

	for (unsigned n = 0; n < RUN_MAX && f->inflight < f->inflight_limit; n++) {
		if (!refresh_plan_pop(&f->plan, now_ms, &e))
			break;
		run_one(f, &e, now_ms);
	}
	l0_writer_stats(f->l0, &l0);
	if (l0.renewed_used != f->used_before)
		refresh_stats_now(&f->stats, now_ms)->used +=
			(uint32_t)(l0.renewed_used - f->used_before);
	f->used_before = l0.renewed_used;
}

static struct l0_key request_key(const struct refresh_request *q)
{
	return (struct l0_key){
		.hash = q->hash,
		.name = q->name,
		.name_len = q->name_len,
		.flags = q->key_flags,
		.qtype = q->qtype,
		.qclass = q->qclass,
		.view = q->view,
	};
}

// Clears the mark of a request that has ended; the key's record may be another one by now.
static void put_off_request(struct refresh *f, const struct refresh_request *q, uint64_t now_ms)
{
	const struct l0_key key = request_key(q);
	struct l0_view v;

	if (find(f, &key, now_ms, &v) != L0_NONE)
		put_off(f, &key, &v, now_ms);
}

static void plan_again(struct refresh *f, const struct refresh_request *q, uint64_t now_ms)
{
	const struct l0_key key = request_key(q);
	struct l0_view v;
	uint32_t record = find(f, &key, now_ms, &v);

	if (record != L0_NONE)
		plan(f, &key, record, now_ms + ELSEWHERE_MS, now_ms);
}

void refresh_ended(
	struct refresh *f, struct refresh_request *q, enum refresh_end end, uint64_t now_ms)
{
	struct refresh_counts *c = refresh_stats_now(&f->stats, now_ms);

	if (end == REFRESH_FAILED) {
		failures_add(f->backoff, q->hash, now_ms);
		c->failed++;
	} else if (end == REFRESH_DONE) {
		failures_clear(f->backoff, q->hash);
		c->done++;
	}
	if (end == REFRESH_ELSEWHERE)
		plan_again(f, q, now_ms);
	else if (end != REFRESH_DONE)
		put_off_request(f, q, now_ms);
	request_give(f, q);
}

const struct refresh_stats *refresh_stats(const struct refresh *f)
{
	return &f->stats;
}

bool refresh_held_back(const struct refresh *f, uint64_t hash, uint64_t now_ms)
{
	return failures_recent(f->backoff, hash, now_ms);
}

void refresh_report(const struct refresh *f, uint64_t now_ms, struct refresh_report *out)
{
	*out = (struct refresh_report){
		.now_ms = now_ms,
		.round_ms = f->round_ms,
		.policy = f->policy,
		.inflight = f->inflight,
		.inflight_limit = f->inflight_limit,
		.planned = f->plan.used,
		.plan_limit = f->plan.limit,
		.held_back = failures_used(f->backoff, now_ms),
		.stats = f->stats,
	};
}

void refresh_tables(const struct refresh *f, uint64_t now_ms, struct table_registry *r)
{
	struct table_info backoff = (struct table_info){
		.name = "refresh_backoff", .lifetime = "refresh.servfail_backoff"};

	table_register(r, &(struct table_info){.name = "refresh_plan",
				  .owner = "resolver loop",
				  .eviction = "evict the least urgent",
				  .lifetime = "until due",
				  .kind = TABLE_CACHE,
				  .cap = f->plan.cap,
				  .used = f->plan.used,
				  .high = f->plan.most,
				  .evicted = f->plan.dropped,
				  .has = TABLE_EVICTS,
				  .bytes = f->plan.cap * sizeof(*f->plan.entry)});
	table_register(r, &(struct table_info){.name = "refresh_requests",
				  .owner = "resolver loop",
				  .eviction = "refuse: stays planned",
				  .lifetime = "5 s",
				  TABLE_WORK_FOR(5000),
				  .cap = REFRESH_REQUESTS,
				  .used = f->inflight,
				  .high = f->inflight_most,
				  .refused = f->refused,
				  .oldest_ms = table_age(age_since(&f->ages), now_ms),
				  .has = TABLE_AGES | TABLE_REFUSES,
				  .bytes = REFRESH_REQUESTS * sizeof(*f->request)});
	failures_table(f->backoff, now_ms, &backoff);
	table_register(r, &backoff);
	table_register(r, &(struct table_info){.name = "refresh_minutes",
				  .owner = "resolver loop",
				  .eviction = "evict the oldest",
				  .lifetime = "24 h",
				  .kind = TABLE_FIXED,
				  .cap = REFRESH_MINUTES,
				  .used = REFRESH_MINUTES,
				  .bytes = sizeof(f->stats)});
}
