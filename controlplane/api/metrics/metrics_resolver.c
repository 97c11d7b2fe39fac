// SPDX-License-Identifier: BSD-3-Clause
// Metrics of the resolver: misses and upstreams.

#include "metrics.h"
#include "route/host_board.h"

#include <stdio.h>
#include <weir/attr.h>
#include <weir/clock.h>

void metrics_resolver(struct metrics_text *t, const struct resolver_status *s)
{
	metrics_counts(t, resolver_rows(), s);
	metrics_one(t, METRICS_GAUGE, "weir_resolver_bound_refused",
		"Questions refused in the last 5 to 10 minutes to the zone or client that met a "
		"bound most.",
		s->met_bounds.met[0].count);
	metrics_counts(t, upstream_https_rows(), &s->https);
	metrics_counts(t, upstream_stream_rows(), &s->streams);
	metrics_counts(t, upstream_socket_rows(), &s->sockets);
	metrics_counts(t, upstream_port_rows(), &s->port);
	metrics_counts(t, answer_policy_rows(), &s->answer_policy);
	metrics_counts(t, validation_rows(), &s->validation);
	metrics_counts(t, recursion_rows(), &s->recursion);
	metrics_counts(t, step_rows(), &s->step);
}

void metrics_upstreams(struct metrics_text *t, const struct resolver_status *s)
{
	metrics_one(t, METRICS_GAUGE, "weir_upstream_sets",
		"Sets of servers: everyone's, those of groups and those of forward zones.",
		s->upstream_sets);
	metrics_one(t, METRICS_GAUGE, "weir_upstream_sets_down",
		"Sets of servers in which no server answers.", s->upstream_sets_down);
	struct metrics_labels labels[CONFIG_UPSTREAMS_MAX];
	const unsigned count =
		s->upstream_count < CONFIG_UPSTREAMS_MAX ? s->upstream_count : CONFIG_UPSTREAMS_MAX;
	// Two servers may share a name, but then not the address.
	for (unsigned i = 0; i < count; i++)
		labels[i] = (struct metrics_labels){
			{{"upstream", s->upstream[i].name}, {"address", s->upstream[i].address}}};
	metrics_counts_rows(t, upstream_rows(), s->upstream, count, sizeof(s->upstream[0]), labels);
	metrics_counts_rows(
		t, upstream_failure_rows(), s->upstream, count, sizeof(s->upstream[0]), labels);
}

// Metrics of the two cache tiers.

static void redis_state_out(struct metrics_text *t, const char *state)
{
	static const char *const states[] = {
		"off", "connecting", "up", "partial", "refusing", "away"};
	metrics_family(t, METRICS_GAUGE, "weir_redis_state",
		"State of Redis: 1 for the label that is true.");
	for (unsigned i = 0; i < ARRAY_LEN(states); i++)
		metrics_count(t, METRICS_LABELS({"state", states[i]}),
			state && __builtin_strcmp(state, states[i]) == 0);
}

void metrics_cache(struct metrics_text *t, const struct resolver_status *s)
{
	metrics_counts(t, l0_rows(), &s->l0);
	metrics_family(t, METRICS_GAUGE, "weir_l0_bytes", "Bytes of L0, shared and private.");
	metrics_count(t, METRICS_LABELS({"part", "shared"}), s->l0_bytes);
	metrics_count(t, METRICS_LABELS({"part", "private"}), s->l0_private_bytes);
	metrics_counts(t, l1_rows(), &s->l1);
	metrics_counts(t, redis_rows(), &s->l1.redis);
	metrics_one(t, METRICS_GAUGE, "weir_redis_refused_writes",
		"Writes that Redis refused since it last accepted one.", s->l1.refused_in_a_row);
	metrics_counts(t, l1_sweep_rows(), &s->l1_sweep);
	metrics_counts(t, flush_rows(), &s->flush);
	redis_state_out(t, s->l1.redis.state);
}

// Metrics of the host names of upstream servers.

#define HOST_COUNTS(X)                                                                          \
	X(FIRST, unsigned, count, NONE, NAMED("addresses"),                                     \
		"Addresses of the host name that weir uses; 0: it is not resolved.")            \
	X(FIRST, uint64_t, lookups, NONE, TOTAL, "Lookups of the host name.")                   \
	X(FIRST, uint64_t, failures, NONE, TOTAL,                                               \
		"Lookups without an answer, or without an address that a server may have.")     \
	X(FIRST, uint64_t, changes, NONE, TOTAL, "Changes of its addresses.")                   \
	X(FIRST, uint64_t, refused, NONE, TOTAL,                                                \
		"Addresses refused: weir's own, or such that no host can have.")                \
	X(FIRST, uint64_t, left_out, NONE, TOTAL, "Addresses left out: the name has too many.") \
	X(FIRST, uint64_t, unreachable, NONE, TOTAL,                                            \
		"Addresses left out: the kernel has no route to them.")
COUNTS(host_rows, struct host_state, "weir_upstream_host_", HOST_COUNTS)

void metrics_hosts(struct metrics_text *t)
{
	struct host_state h[CONFIG_HOSTS_MAX], one;
	char text[CONFIG_HOSTS_MAX][CONFIG_HOST_TEXT_MAX];
	struct metrics_labels labels[CONFIG_HOSTS_MAX];
	const uint64_t now_ms = clock_mono_ms();
	unsigned count = 0;

	for (; count < CONFIG_HOSTS_MAX && host_board_at(count, &one); count++) {
		snprintf(text[count], sizeof(text[count]), "%s:%u", one.host, one.port);
		labels[count] = METRICS_LABEL("host", text[count]);
		h[count] = one;
	}
	if (count == 0)
		return;
	metrics_counts_rows(t, host_rows(), h, count, sizeof(h[0]), labels);
	metrics_family(t, METRICS_GAUGE, "weir_upstream_host_age_seconds",
		"Time since the latest lookup that found addresses, or since the name was "
		"configured.");
	for (unsigned i = 0; i < count; i++)
		metrics_real(t, labels[i].label,
			(double)(now_ms - (h[i].resolved_ms ? h[i].resolved_ms : h[i].since_ms))
				/ 1e3);
}
