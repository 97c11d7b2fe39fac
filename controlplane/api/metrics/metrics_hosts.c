// SPDX-License-Identifier: BSD-3-Clause
// Metrics of the host names that upstream servers are given by.
#include "metrics.h"
#include "route/host_board.h"

#include <stdio.h>
#include <weir/attr.h>
#include <weir/clock.h>

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
