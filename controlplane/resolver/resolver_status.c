// SPDX-License-Identifier: BSD-3-Clause
#include "resolver_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <weir/clock.h>

// One request on its way to the resolver loop and back.
struct status_call {
	struct resolver *resolver;
	struct loop *reply_to;
	struct loop_return back;
	void (*done)(void *arg, const struct resolver_status *s);
	void *arg;
	struct resolver_status status;
};

// How questions reach the upstreams, and which.
static void tables_of_upstreams(
	const struct resolver *r, struct resolver_status *s, const struct upstream_totals *upstream)
{
	uint64_t now_ms = clock_mono_ms();
	unsigned sets = views_count(r->views) + views_forward_sets(r->views);

	table_register(&s->tables,
		&(struct table_info){.name = "upstream_tcp",
			.owner = "resolver loop",
			.eviction = "close an idle or stalled one; none: the query waits",
			.lifetime = "3 s without a query, or as the server says",
			.cap = UPSTREAM_STREAMS_MAX * sets,
			.used = upstream->streams.open,
			.high = upstream->streams.high,
			.bytes = upstream->streams.bytes,
			.evicted = upstream->streams.evicted,
			.oldest_ms = table_age(upstream->streams.since_ms, now_ms),
			.has = TABLE_AGES | TABLE_EVICTS});
	// Part of each question that is asked over TCP, so of no octets of its own.
	table_register(&s->tables, &(struct table_info){.name = "upstream_tcp_queue",
					   .owner = "resolver loop",
					   .eviction = "refuse: the attempt fails",
					   .lifetime = "1 s, or life of the question",
					   .cap = UPSTREAM_STREAMS_WAITING * sets,
					   .used = upstream->streams.waiting,
					   .high = upstream->streams.waiting_high,
					   .refused = upstream->streams.full,
					   .has = TABLE_REFUSES});
	table_register(
		&s->tables, &(struct table_info){.name = "upstream_sockets",
				    .owner = "resolver loop",
				    .eviction = "close one; none: the query fails",
				    .lifetime = "20 s or 64 queries",
				    .cap = UPSTREAM_SOCKETS_MAX * sets,
				    .used = upstream->sockets.open,
				    .bytes = upstream->sockets.bytes,
				    .evicted = upstream->sockets.evicted,
				    .refused = upstream->sockets.full,
				    .oldest_ms = table_age(upstream->sockets.since_ms, now_ms),
				    .has = TABLE_AGES | TABLE_EVICTS | TABLE_REFUSES});
	table_register(&s->tables, &(struct table_info){.name = "views",
					   .owner = "resolver loop",
					   .eviction = "refuse: the reload fails",
					   .lifetime = "life of its groups, then 10 s",
					   .cap = VIEWS_MAX,
					   .used = views_count(r->views),
					   .bytes = views_memory(),
					   .refused = views_refused(r->views),
					   .has = TABLE_REFUSES});
	table_register(&s->tables, &(struct table_info){.name = "forward_sets",
					   .owner = "resolver loop",
					   .eviction = "refuse: the reload fails",
					   .lifetime = "life of its zones and their questions",
					   .cap = FORWARD_SETS_MAX,
					   .used = views_forward_sets(r->views),
					   .bytes = forwards_memory(),
					   .refused = views_forward_refused(r->views),
					   .has = TABLE_REFUSES});
	table_register(
		&s->tables, &(struct table_info){.name = "rewrites",
				    .owner = "resolver loop",
				    .eviction = "refuse: SERVFAIL",
				    .lifetime = "life of the question",
				    .cap = RESOLVER_REWRITES_MAX,
				    .used = r->rewrites,
				    .bytes = r->rewrites * sizeof(struct rewrite),
				    .high = r->rewrites_most,
				    .refused = s->refused_rewrites,
				    .oldest_ms = table_age(age_since(&r->rewrite_ages), now_ms),
				    .has = TABLE_AGES | TABLE_REFUSES});
	upstream_book_tables(r->book, &s->tables);
}

static void tables_of_questions(
	const struct resolver *r, struct resolver_status *s, const struct inflight_stats *inflight)
{
	uint64_t now_ms = clock_mono_ms();

	table_register(&s->tables, &(struct table_info){.name = "inflight",
					   .owner = "resolver loop",
					   .eviction = "refuse: stale answer or SERVFAIL",
					   .lifetime = "5 s",
					   .cap = inflight->questions_cap,
					   .used = inflight->questions,
					   .bytes = inflight->bytes,
					   .high = inflight->questions_max,
					   .refused = s->refused_inflight + s->refused_zone,
					   .oldest_ms = table_age(inflight->since_ms, now_ms),
					   .has = TABLE_AGES | TABLE_REFUSES});
	table_register(
		&s->tables, &(struct table_info){.name = "waiters",
				    .owner = "resolver loop",
				    .eviction = "refuse: drop or SERVFAIL",
				    .lifetime = "1.9 s",
				    .cap = inflight->waiters_cap,
				    .used = inflight->waiters,
				    .bytes = inflight->waiter_bytes,
				    .high = inflight->waiters_max,
				    .refused = s->refused_waiters + s->refused_client,
				    .oldest_ms = table_age(inflight->waiting_since_ms, now_ms),
				    .has = TABLE_AGES | TABLE_REFUSES});
	kept_queries_tables(&r->kept_queries, &s->tables);
}

static void tables_of_l1(const struct resolver *r, struct resolver_status *s)
{
	uint64_t now_ms = clock_mono_ms();

	table_register(&s->tables, &(struct table_info){.name = "l1_lookups",
					   .owner = "resolver loop",
					   .eviction = "refuse: ask the upstreams",
					   .lifetime = "redis.lookup_timeout_ms",
					   .cap = L1_LOOKUPS_MAX,
					   .used = s->l1.looking,
					   .bytes = s->l1.bytes,
					   .high = s->l1.looking_most,
					   .refused = s->l1.full,
					   .oldest_ms = table_age(s->l1.looking_since_ms, now_ms),
					   .has = TABLE_AGES | TABLE_REFUSES});
	redis_tables(l1_redis(r->l1), &s->tables);
	table_register(&s->tables, &(struct table_info){.name = "l1_sample",
					   .owner = "resolver loop",
					   .eviction = "cannot be full: one sample at a time",
					   .lifetime = "one sweep",
					   .cap = L1_SAMPLE,
					   .used = 0,
					   .bytes = s->l1_sweep.bytes});
}

static void status_tables(const struct resolver *r, struct resolver_status *s,
	const struct inflight_stats *inflight, const struct upstream_totals *upstream)
{
	uint64_t now_ms = clock_mono_ms();
	struct publish_status published;

	publish_status(r->publisher, &published);
	table_register(&s->tables, &(struct table_info){.name = "l0",
					   .owner = "resolver loop",
					   .eviction = "evict by SIEVE; no room: refuse",
					   .lifetime = "TTL plus stale window",
					   .cap = s->l0.units_total,
					   .used = s->l0.units_used,
					   .bytes = s->l0_bytes + s->l0_private_bytes,
					   .evicted = s->l0.evicted_space + s->l0.evicted_bucket,
					   .refused = s->l0.refused_nospace + s->l0.refused_large,
					   .shared = s->l0_bytes,
					   .oldest_ms = table_age(s->l0.oldest_ms, now_ms),
					   .has = TABLE_AGES | TABLE_EVICTS | TABLE_REFUSES});
	table_register(&s->tables,
		&(struct table_info){.name = "names",
			.owner = "rules helper thread",
			.eviction = "cannot be full: sized by its lists",
			.lifetime = "until the next image",
			.cap = 1 + 2,
			.used = (published.names_generation != 0) + published.retired_waiting,
			.bytes = published.names_bytes + published.retired_bytes,
			.shared = published.names_bytes + published.retired_bytes,
			.refused = published.refused_busy,
			.has = TABLE_REFUSES});
	tables_of_questions(r, s, inflight);
	tables_of_upstreams(r, s, upstream);
	table_register(&s->tables,
		&(struct table_info){.name = "failures",
			.owner = "resolver loop",
			.eviction = "evict the entry of the bucket that expires first",
			.lifetime = "cache.failure_ttl to 8 s, plus 60 s of its doubling",
			.cap = failures_cap(r->failures),
			.used = s->failures,
			.bytes = failures_memory(r->failures),
			.evicted = failures_evicted(r->failures),
			.oldest_ms = table_age(failures_since(r->failures, now_ms), now_ms),
			.has = TABLE_AGES | TABLE_EVICTS});
	tables_of_l1(r, s);
}

static void status_fill(struct resolver *r, struct resolver_status *s)
{
	struct inflight_stats inflight;
	struct worker_rings_stats worker_rings;
	struct upstream_totals upstream;
	struct region region;
	bool fresh;

	*s = r->count;
	l0_writer_stats(r->l0, &s->l0);
	publisher_l0(r->publisher, &region, &fresh);
	s->l0_bytes = region.size;
	s->l0_private_bytes = l0_writer_memory(r->l0);
	inflight_stats(r->inflight, &inflight);
	s->inflight = inflight.questions;
	s->inflight_max = inflight.questions_max;
	s->inflight_cap = inflight.questions_cap;
	s->waiters = inflight.waiters;
	s->waiter_cap = inflight.waiters_cap;
	s->failures = failures_used(r->failures, clock_mono_ms());
	worker_rings_stats(r->worker_rings, &worker_rings);
	s->ring_anomalies = worker_rings.ring_anomalies + r->record_anomalies;
	s->foreign_messages = worker_rings.foreign + worker_rings.answer_foreign;
	s->answer_ring_full = worker_rings.answer_ring_full;
	s->link_up = link_up(r->link);
	s->dp_incarnation = worker_rings_incarnation(r->worker_rings);
	s->worker_rings = worker_rings_count(r->worker_rings);
	loop_lag_minute(r->loop, &s->lag);
	loop_lag_now(r->loop, &s->lag_ever);
	s->loop_busy_us = loop_busy_minute_us(r->loop);
	views_totals(r->views, &upstream);
	s->upstream_sent = upstream.sent;
	s->upstream_replies = upstream.replies;
	s->mismatched = upstream.mismatched;
	s->upstream_tcp_again = upstream.tcp_again;
	s->upstream_sets = upstream.sets;
	s->upstream_sets_down = upstream.sets_down;
	s->streams = upstream.streams;
	l1_status(r->l1, &s->l1);
	l1_sweep_status(r->l1_sweep, &s->l1_sweep);
	s->sockets = upstream.sockets;
	s->upstream_count = upstreams_status(views_everyone(r->views)->upstreams, s->upstream);
	status_tables(r, s, &inflight, &upstream);
	resolver_answer_policy_tables(r, &s->tables);
	refresh_tables(r->refresh, clock_mono_ms(), &s->tables);
	flushes_status(r, &s->flush, &s->tables);
	trace_tables(r, &s->tables);
	if (r->list_tables)
		r->list_tables(r->list_tables_arg, &s->tables);
}

void resolver_list_tables(
	struct resolver *r, void (*list)(void *arg, struct table_registry *tables), void *arg)
{
	r->list_tables = list;
	r->list_tables_arg = arg;
}

static void status_deliver(void *arg)
{
	struct status_call *c = arg;
	c->done(c->arg, &c->status);
	free(c);
}

static void status_collect(void *arg)
{
	struct status_call *c = arg;
	status_fill(c->resolver, &c->status);
	loop_call_back(c->reply_to, &c->back, status_deliver, c);
}

int resolver_status(struct resolver *r, struct loop *reply_to,
	void (*done)(void *arg, const struct resolver_status *s), void *arg)
{
	struct status_call *c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->resolver = r;
	c->reply_to = reply_to;
	c->done = done;
	c->arg = arg;
	int rc = loop_call(r->loop, status_collect, c);
	if (rc < 0)
		free(c);
	return rc;
}
