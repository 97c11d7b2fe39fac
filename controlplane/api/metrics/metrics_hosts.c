// SPDX-License-Identifier: BSD-3-Clause
// Metrics of the host names that upstream servers are given by.
#include "metrics.h"
#include "route/host_board.h"

#include <stdio.h>
#include <weir/attr.h>
#include <weir/clock.h>

// What a scrape has of a name.
struct host_sample {
	char label[CONFIG_HOST_TEXT_MAX];
	uint64_t addresses, lookups, failures, changes, refused, left_out, unreachable, age_ms;
};

#define HOST(kind, field, metric, text, scale) \
	METRICS_FIELD(kind, struct host_sample, field, "weir_upstream_host_" metric, text, scale)
static const struct metrics_field of_hosts[] = {
	HOST(METRICS_GAUGE, addresses, "addresses",
		"Addresses of the host name that weir uses; 0: it is not resolved.", 0),
	HOST(METRICS_GAUGE, age_ms, "age_seconds",
		"Time since the latest lookup that found addresses, or since the name was "
		"configured.",
		1e-3),
	HOST(METRICS_COUNTER, lookups, "lookups_total", "Lookups of the host name.", 0),
	HOST(METRICS_COUNTER, failures, "failures_total",
		"Lookups without an answer, or without an address that a server may have.", 0),
	HOST(METRICS_COUNTER, changes, "changes_total", "Changes of its addresses.", 0),
	HOST(METRICS_COUNTER, refused, "refused_total",
		"Addresses refused: weir's own, or such that no host can have.", 0),
	HOST(METRICS_COUNTER, left_out, "left_out_total",
		"Addresses left out: the name has too many.", 0),
	HOST(METRICS_COUNTER, unreachable, "unreachable_total",
		"Addresses left out: the kernel has no route to them.", 0),
};

static void sample_take(struct host_sample *s, const struct host_state *h)
{
	const uint64_t now_ms = clock_mono_ms();

	*s = (struct host_sample){
		.addresses = h->count,
		.lookups = h->lookups,
		.failures = h->failures,
		.changes = h->changes,
		.refused = h->refused,
		.left_out = h->left_out,
		.unreachable = h->unreachable,
		.age_ms = now_ms - (h->resolved_ms ? h->resolved_ms : h->since_ms),
	};
	snprintf(s->label, sizeof(s->label), "%s:%u", h->host, h->port);
}

void metrics_hosts(struct metrics_text *t)
{
	struct host_sample sample[CONFIG_HOSTS_MAX];
	const char *label[CONFIG_HOSTS_MAX];
	struct host_state h;
	unsigned count = 0;

	while (count < CONFIG_HOSTS_MAX && host_board_at(count, &h)) {
		sample_take(&sample[count], &h);
		label[count] = sample[count].label;
		count++;
	}
	if (count > 0)
		metrics_field_rows(t, of_hosts, ARRAY_LEN(of_hosts), sample, count,
			sizeof(sample[0]), "host", label);
}
