// SPDX-License-Identifier: BSD-3-Clause
#include "resolver_store.h"

#include "resolver_check.h"
#include "resolver_internal.h"

#include <event2/event.h>

#include <errno.h>
#include <inttypes.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>

// Time of a slice of a walk. The clock is read after each bucket of at most ten records, which take
// some 0.3 us each, or the time of patterns for their names.
enum { SLICE_US = 400 };

// Whether waiting clients get the answer: a fresh one right after it is stored, a stale one only if
// no server gives a newer answer.
static bool is_given(
	const struct question *q, const struct dns_answer *a, uint64_t created_ms, uint64_t now_ms)
{
	return q->waiters > 0 && now_ms - created_ms < UINT64_C(1000) * a->ttl_s;
}

// The key of the question's answer. False: there is no key for its scope.
static bool key_of(const struct resolver *r, const struct question *q, struct subnet_key *out)
{
	const struct l0_key whole = inflight_key(q);

	out->key = whole;
	return !q->is_scoped
	       || subnet_key_make(l0_writer_reader(r->l0), &whole, &q->subnet, q->scope, out);
}

// A scoped answer replaces the answer for everyone, unless it is for clients that hide their
// address, which says nothing about others. An answer for everyone replaces no scoped one: workers
// find it first.
static void scoped_stored(struct resolver *r, const struct question *q)
{
	const struct l0_key whole = inflight_key(q);

	subnet_lengths_add(&r->subnets, &q->subnet, q->scope);
	if (q->subnet.prefix_len > 0)
		(void)l0_writer_delete(r->l0, &whole);
}

void store_answer(struct resolver *r, const struct question *q, const struct dns_answer *a,
	const struct answer_match *finding, uint64_t created_ms, uint64_t now_ms)
{
	struct rule_set mask;
	struct subnet_key where;
	const bool has_key = key_of(r, q, &where);
	struct l0_put put = {
		.key = where.key,
		.answer = dns_answer_view_of(a),
		.created_ms = created_ms,
		.auth_ttl_s = a->auth_ttl_s,
		.hits = q->hits,
		.renews = q->request && q->hits == 0,
		.mask = &mask,
	};

	if (!l0_writer_owns(r->l0, where.key.hash)) { // a list led a client to this name
		r->count.not_stored++;
		return;
	}
	ttl_record_times(&r->set.ttl, a->ttl_s, &put.soft_ms, &put.hard_ms);
	// An answer for a subnet is not renewed ahead of time, so no worker requests that.
	put.refresh_ms = q->subnet.version ? put.soft_ms
					   : refresh_told_ms(refresh_policy(r->refresh),
						   put.soft_ms, a->auth_ttl_s);
	bool may_keep = resolver_check_mask(r, finding, &mask) && a->ttl_s > 0 && has_key;
	int rc = may_keep ? l0_writer_put(r->l0, &put) : -EINVAL;
	if (rc == 0) {
		r->count.stored++;
		resolver_trace_note(r, q->trace, TRACE_l0_stored, a->ttl_s);
		if (q->is_scoped)
			scoped_stored(r, q);
		refresh_stored(r->refresh, &put.key, put.refresh_ms, now_ms);
		return;
	}
	r->count.not_stored++;
	resolver_trace_note(r, q->trace, TRACE_l0_not_stored, a->ttl_s);
	if (rc != -ENOSPC || is_given(q, a, created_ms, now_ms))
		(void)l0_writer_delete(r->l0, &put.key);
}

bool store_find(struct resolver *r, const struct l0_key *key, struct l0_view *out)
{
	const struct l0_reader *l0 = l0_writer_reader(r->l0);
	if (!l0_writer_owns(r->l0, key->hash))
		return false;
	uint32_t record = l0_find(l0, key, l0_candidate(l0, key->hash), &r->record_anomalies);

	return record != L0_NONE && l0_record_read(l0, record, out);
}

static bool scoped_at(struct resolver *r, const struct l0_key *key, const struct ip_address *subnet,
	int bits, struct subnet_key *found, struct l0_view *out)
{
	return subnet_key_make(l0_writer_reader(r->l0), key, subnet, (unsigned)bits, found)
	       && store_find(r, &found->key, out) && store_usable(out, clock_mono_ms());
}

// Finds the fresh record for the longest part of the subnet, or else a stale one in that order.
static bool scoped_find(struct resolver *r, const struct l0_key *key,
	const struct ip_address *subnet, struct subnet_key *found, struct l0_view *out)
{
	int bits = subnet_lengths_next(&r->subnets, subnet, subnet->prefix_len), stale = -1;

	for (; bits >= 0; bits = subnet_lengths_next(&r->subnets, subnet, bits - 1)) {
		if (!scoped_at(r, key, subnet, bits, found, out))
			continue;
		if (l0_age_of(out, clock_mono_ms()) == L0_FRESH)
			return true;
		if (stale < 0)
			stale = bits;
	}
	return stale >= 0 && scoped_at(r, key, subnet, stale, found, out);
}

bool store_find_for(struct resolver *r, const struct l0_key *key, const struct ip_address *subnet,
	struct subnet_key *found, struct l0_view *out)
{
	const uint64_t now_ms = clock_mono_ms();
	const bool is_scoped = subnet->version && scoped_find(r, key, subnet, found, out);
	struct l0_view whole;

	if (is_scoped && l0_age_of(out, now_ms) == L0_FRESH)
		return true;
	if (!store_find(r, key, &whole) || (is_scoped && l0_age_of(&whole, now_ms) != L0_FRESH))
		return is_scoped;
	found->key = *key;
	*out = whole;
	return true;
}

void store_look_ahead(const struct l0_reader *l0, uint64_t bucket)
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

bool store_usable(const struct l0_view *v, uint64_t now_ms)
{
	return l0_age_of(v, now_ms) != L0_HARD_EXPIRED;
}

void store_restamp(struct resolver *r, const struct l0_key *key)
{
	struct l0_view v;

	if (!store_find(r, key, &v))
		return;
	uint64_t until = clock_mono_ms() - v.created_ms + STALE_HOLD_MS;
	// Refused when there is no room: then the next client waits, as this one did.
	(void)!l0_writer_restamp(r->l0, key, until > UINT32_MAX ? UINT32_MAX : (uint32_t)until);
}

void store_refreshed(struct resolver *r, const struct l0_key *key)
{
	const struct l0_reader *l0 = l0_writer_reader(r->l0);
	if (!l0_writer_owns(r->l0, key->hash))
		return;
	uint32_t record = l0_find(l0, key, l0_candidate(l0, key->hash), &r->record_anomalies);

	if (record != L0_NONE)
		l0_writer_clear_refresh(r->l0, record);
}

static void bucket_walk(struct resolver *r, const struct l0_bucket *b, store_walk_fn fn, void *arg)
{
	for (unsigned i = 0; i < L0_BUCKET_SLOTS; i++) {
		struct l0_view v;
		if (atomic_load_explicit(&b->tag[i], memory_order_relaxed) != 0
			&& l0_record_read(l0_writer_reader(r->l0),
				atomic_load_explicit(&b->record[i], memory_order_relaxed), &v))
			fn(r, &v, arg);
	}
}

bool store_walk(struct resolver *r, uint64_t *cursor, store_walk_fn fn, void *arg)
{
	const struct l0_reader *l0 = l0_writer_reader(r->l0);
	const struct l0_share *share = l0_writer_share(r->l0);
	uint64_t end_us = clock_mono_us() + SLICE_US;

	l0_writer_reclaim(r->l0);
	while (*cursor < share->buckets) {
		store_look_ahead(l0, share->bucket_first + *cursor + 2);
		bucket_walk(r, &l0->buckets[share->bucket_first + (*cursor)++], fn, arg);
		if (clock_mono_us() >= end_us)
			return false;
	}
	return true;
}

enum { STEP_MIN_MS = 2000 }; // within a beat; slewing a clock moves it by a tenth of that at most

// Steps of the wall clock. The host paused this machine, or restored it from a snapshot: its clocks
// stood still, and it notices that only when its wall clock is corrected. A wrong clock makes the
// same step. A forward step changes only the age of cached records: if the clock was wrong, weir
// renews some answers without need. A step back changes no record, because it would make records
// younger; the validators' keys are fetched again, and the recursor's caches emptied: that library
// ages by the wall clock. The shared clock (clock.h) does not step, so no limit, pause or question
// is affected. The walk goes through the index in slices between which the loop does its work; each
// record from before the step is written again, older by as much. Records that are stored during
// the walk are younger than the step.

struct steps {
	struct resolver *resolver;
	struct event *slice;
	int64_t wall_ahead_ms; // clock_wall_ahead_ms, at the last beat
	uint64_t owed_ms;      // sum of steps for which no walk has begun
	bool running;
	uint32_t by_ms;
	uint64_t before_ms; // records made before this, by the shared clock
	uint64_t cursor;    // bucket
};

static void record_age(struct resolver *r, const struct l0_view *v, void *arg)
{
	const struct steps *s = arg;
	struct step_count *count = &r->count.step;
	struct l0_key key;

	if (v->created_ms >= s->before_ms)
		return;
	l0_key_of_view(l0_writer_reader(r->l0), v, &key);
	if (s->before_ms - v->created_ms + s->by_ms >= v->hard_ms)
		count->dropped += l0_writer_delete(r->l0, &key);
	else if (l0_writer_age(r->l0, &key, s->by_ms) == 0)
		count->aged++;
	else
		count->dropped++;
}

// A step that does not fit into by_ms is longer than any record lives.
static void walk_begin(struct steps *s)
{
	s->running = true;
	s->by_ms = s->owed_ms < UINT32_MAX ? (uint32_t)s->owed_ms : UINT32_MAX;
	s->owed_ms = 0;
	s->before_ms = clock_mono_ms();
	s->cursor = 0;
	event_add(s->slice, &(struct timeval){0});
}

static void on_slice(evutil_socket_t, short, void *arg)
{
	struct steps *s = arg;

	if (!store_walk(s->resolver, &s->cursor, record_age, s)) {
		event_add(s->slice, &(struct timeval){0});
		return;
	}
	s->running = false;
	if (s->owed_ms)
		walk_begin(s);
}

static void step_back(struct resolver *r, int64_t by_ms)
{
	if (r->index == 0)
		log_warning("the wall clock jumped back by %" PRId64
			    " ms; DNSSEC keys are fetched again",
			by_ms);
	validators_forget(r->validators);
	recursor_forget(r->recursor);
}

void resolver_step_beat(struct resolver *r)
{
	struct steps *s = r->steps;
	int64_t ahead_ms = clock_wall_ahead_ms(s->wall_ahead_ms);
	int64_t step_ms = ahead_ms - s->wall_ahead_ms;

	s->wall_ahead_ms = ahead_ms;
	if (step_ms <= -STEP_MIN_MS)
		step_back(r, -step_ms);
	if (step_ms < STEP_MIN_MS)
		return;
	if (r->index == 0)
		log_warning("the wall clock jumped forward by %" PRId64
			    " ms; cached records age by as much",
			step_ms);
	r->count.step.steps++;
	r->count.step.stepped_ms += (uint64_t)step_ms;
	s->owed_ms += (uint64_t)step_ms;
	if (!s->running)
		walk_begin(s);
}

int resolver_step_open(struct resolver *r)
{
	struct steps *s = heap_calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	r->steps = s;
	s->resolver = r;
	s->wall_ahead_ms = clock_wall_ahead_ms(0);
	s->slice = event_new(loop_base(r->loop), -1, 0, on_slice, s);
	return s->slice ? 0 : -ENOMEM;
}

void resolver_step_close(struct resolver *r)
{
	if (r->steps && r->steps->slice)
		event_free(r->steps->slice);
	FREE_AND_NULL(r->steps);
}
