// SPDX-License-Identifier: BSD-3-Clause
#include "question.h"
#include "resolver_check.h"
#include "resolver_flush.h"
#include "resolver_trace.h"

#include <weir/clock.h>

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

static void upstream_take(const struct upstream_totals *t, struct resolver_status *s)
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
	upstream_take(&upstream, s);
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
