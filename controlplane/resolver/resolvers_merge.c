// SPDX-License-Identifier: BSD-3-Clause
// The answers of several resolvers as one (resolvers.h).
#include "resolvers_merge.h"

#include <string.h>

#define SUM(field)  (sum->field += one->field)
#define MOST(field) (sum->field = one->field > sum->field ? one->field : sum->field)

static void took_sum(struct took *sum, const struct took *one)
{
	for (unsigned i = 0; i < TOOK_BUCKETS; i++)
		SUM(bucket[i]);
	SUM(sum_ns);
}

// What the latest handshake of any of them has shown.
static void tls_latest(struct upstream_status *sum, const struct upstream_status *one)
{
	if (one->tls_about_ms > sum->tls_about_ms) {
		sum->tls_about_ms = one->tls_about_ms;
		memcpy(sum->tls_about, one->tls_about, sizeof(sum->tls_about));
	}
	if (one->tls_why_ms > sum->tls_why_ms) {
		sum->tls_why_ms = one->tls_why_ms;
		memcpy(sum->tls_why, one->tls_why, sizeof(sum->tls_why));
	}
}

static void https_sum(struct upstream_https_counts *sum, const struct upstream_https_counts *one)
{
	SUM(replies);
	if (one->why_ms > sum->why_ms) {
		sum->why_ms = one->why_ms;
		memcpy(sum->why, one->why, sizeof(sum->why));
		sum->version = one->version ? one->version : sum->version;
	}
	if (one->status_ms > sum->status_ms) {
		sum->status_ms = one->status_ms;
		sum->status = one->status;
	}
}

// Each asks the same servers, by sockets of its own, and chooses among them by itself: its share
// counts by its queries. Resolvers share the state and the checks of a server.
void resolvers_merge_upstream(struct upstream_status *sum, const struct upstream_status *one)
{
	const uint64_t sent = sum->set_sent + one->set_sent;

	if (sent)
		sum->share = (uint16_t)((sum->share * sum->set_sent + one->share * one->set_sent)
					/ sent);
	counts_merge(upstream_rows(), sum, one);
	counts_merge(upstream_failure_rows(), sum, one);
	tls_latest(sum, one);
	https_sum(&sum->https, &one->https);
	took_sum(&sum->took, &one->took);
}

static void upstreams_sum(struct resolver_status *sum, const struct resolver_status *one)
{
	counts_merge(upstream_socket_rows(), &sum->sockets, &one->sockets);
	counts_merge(upstream_stream_rows(), &sum->streams, &one->streams);
	counts_merge(upstream_https_rows(), &sum->https, &one->https);
	counts_merge(upstream_port_rows(), &sum->port, &one->port);
	// By address: a resolver may have the new addresses of a host name before another one.
	for (unsigned i = 0; i < sum->upstream_count; i++)
		for (unsigned k = 0; k < one->upstream_count; k++)
			if (strcmp(sum->upstream[i].address, one->upstream[k].address) == 0)
				resolvers_merge_upstream(&sum->upstream[i], &one->upstream[k]);
}

void resolvers_merge_status(struct resolver_status *sum, const struct resolver_status *one)
{
	counts_merge(l0_rows(), &sum->l0, &one->l0);
	counts_merge(resolver_rows(), sum, one);
	client_tally_add(&sum->clients, &one->clients);
	for (unsigned i = 0; i < one->met_bounds.count; i++)
		bound_top_add(&sum->met_bounds, &one->met_bounds.met[i]);
	counts_merge(lag_rows(), &sum->lag, &one->lag);
	for (unsigned i = 0; i < LOOP_LAG_BUCKETS; i++)
		SUM(lag_ever.count[i]);
	upstreams_sum(sum, one);
	tables_sum(&sum->tables, &one->tables);
	redis_status_add(&sum->l1.redis, &one->l1.redis);
	counts_merge(l1_rows(), &sum->l1, &one->l1);
	MOST(l1.refused_in_a_row);
	counts_merge(flush_rows(), &sum->flush, &one->flush);
	counts_merge(answer_policy_rows(), &sum->answer_policy, &one->answer_policy);
	counts_merge(validation_rows(), &sum->validation, &one->validation);
	counts_merge(recursion_rows(), &sum->recursion, &one->recursion);
	counts_merge(step_rows(), &sum->step, &one->step);
	for (unsigned i = 0; i < ANSWER_KINDS; i++)
		took_sum(&sum->took[i], &one->took[i]);
}

// A slot may still hold a minute of the day before in one of them.
static void minutes_sum(struct refresh_stats *sum, const struct refresh_stats *one)
{
	for (unsigned i = 0; i < REFRESH_MINUTES; i++) {
		if (sum->minute[i] < one->minute[i]) {
			sum->minute[i] = one->minute[i];
			sum->count[i] = one->count[i];
		} else if (sum->minute[i] == one->minute[i]) {
			counts_merge(refresh_rows(), &sum->count[i], &one->count[i]);
		}
	}
}

void resolvers_merge_refresh(struct refresh_report *sum, const struct refresh_report *one)
{
	MOST(round_ms);
	SUM(inflight);
	SUM(inflight_limit);
	SUM(planned);
	SUM(plan_limit);
	SUM(held_back);
	minutes_sum(&sum->stats, &one->stats);
}

// The oldest of both, by age; `room` for `limit` of them.
void resolvers_merge_pending(struct resolver_pending *sum, const struct resolver_pending *one,
	unsigned limit, struct pending_question *room)
{
	unsigned a = 0, b = 0, n = 0;

	while (n < limit && (a < sum->count || b < one->count)) {
		bool first =
			b == one->count
			|| (a < sum->count && sum->question[a].age_ms >= one->question[b].age_ms);
		room[n++] = first ? sum->question[a++] : one->question[b++];
	}
	SUM(total);
	SUM(clients);
	sum->count = n;
	sum->question = room;
}
