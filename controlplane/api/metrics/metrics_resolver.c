// SPDX-License-Identifier: BSD-3-Clause
// Metrics of the resolver: misses and upstreams.

#include "metrics.h"

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
	// Two servers may have one name, but not one address too.
	for (unsigned i = 0; i < count; i++)
		labels[i] = (struct metrics_labels){
			{{"upstream", s->upstream[i].name}, {"address", s->upstream[i].address}}};
	metrics_counts_rows(t, upstream_rows(), s->upstream, count, sizeof(s->upstream[0]), labels);
	metrics_counts_rows(
		t, upstream_failure_rows(), s->upstream, count, sizeof(s->upstream[0]), labels);
}
