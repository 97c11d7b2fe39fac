// SPDX-License-Identifier: BSD-3-Clause
// Metrics of the data plane, from a copy of its statistics.

#include "metrics.h"

#include <stdio.h>
#include <string.h>

#define DATAPLANE_COUNTS(X)                                                                        \
	X(FIRST, uint32_t, control_seen, NONE, NAMED("link_up"),                                   \
		"Whether the data plane sees a control plane.")                                    \
	X(FIRST, unsigned, workers, NONE, SAME, "Workers of the data plane.")                      \
	X(FIRST, uint64_t, l0_generation, NONE, SAME, "Generation of L0 that all workers use.")    \
	X(FIRST, uint64_t, rule_image_generation, NONE, SAME,                                      \
		"Generation of the rule image that all workers use.")                              \
	X(FIRST, uint64_t, config_generation, NONE, SAME,                                          \
		"Generation of the settings that all workers use.")                                \
	X(FIRST, uint64_t, policy_generation, NONE, SAME,                                          \
		"Generation of the policy image that all workers use.")                            \
	X(FIRST, uint64_t, hops_generation, NONE, SAME,                                            \
		"Generation of the hops image that all workers use.")                              \
	X(FIRST, uint64_t, verdict_gap, NONE, SAME,                                                \
		"Frames received that have no verdict; 0 without traffic.")                        \
	X(FIRST, uint64_t, limit_empty, NONE, SAME,                                                \
		"Cells of the rate limiter without queries left.")                                 \
	X(FIRST, uint32_t, drops_in_force, NONE, SAME,                                             \
		"Drop rules for a source that ports carry out.")                                   \
	X(FIRST, uint32_t, drops_partial, NONE, SAME,                                              \
		"Drop rules in force that a port cannot carry out, or not for frames with a VLAN " \
		"tag.")                                                                            \
	X(FIRST, uint32_t, drops_refused, NONE, SAME,                                              \
		"Drop rules for a source that no port accepted.")                                  \
	X(FIRST, uint32_t, log_lost, NONE, NAMED("messages_lost_total"),                           \
		"Log messages lost because the stderr of the data plane was not read.")
COUNTS(dataplane_rows, struct stats_copy, "weir_dataplane_", DATAPLANE_COUNTS)

// Microseconds and cycles become seconds, the unit of time in Prometheus.
static void counter_name(enum counter c, char out[METRICS_NAME_MAX])
{
	const char *name = counter_names[c];
	size_t len = strlen(name);
	if (c == COUNTER_busy_cycles)
		snprintf(out, METRICS_NAME_MAX, "weir_dataplane_busy_seconds_total");
	else if (len > 3 && strcmp(name + len - 3, "_us") == 0)
		snprintf(out, METRICS_NAME_MAX, "weir_dataplane_%.*s_seconds_total", (int)len - 3,
			name);
	else
		snprintf(out, METRICS_NAME_MAX, "weir_dataplane_%s_total", name);
}

static void counters_out(struct metrics_text *t, const struct stats_copy *s)
{
	for (unsigned c = 0; c < COUNTER_COUNT; c++) {
		char name[METRICS_NAME_MAX];
		counter_name(c, name);
		metrics_family(t, METRICS_COUNTER, name, "Data plane: %s.", counter_texts[c]);
		if (c == COUNTER_busy_cycles)
			metrics_real(
				t, NULL, s->tsc_hz ? (double)s->counter[c] / (double)s->tsc_hz : 0);
		else if (strstr(name, "_seconds_total"))
			metrics_real(t, NULL, (double)s->counter[c] / 1e6);
		else
			metrics_count(t, NULL, s->counter[c]);
	}
}

void metrics_dataplane(struct metrics_text *t, const struct stats_copy *s)
{
	metrics_family(t, METRICS_GAUGE, "weir_dataplane_heartbeat_age_seconds",
		"Time since the last heartbeat of the data plane's main lcore.");
	metrics_real(t, NULL,
		s->taken_ms > s->heartbeat_ms ? (double)(s->taken_ms - s->heartbeat_ms) / 1e3 : 0);
	metrics_family(t, METRICS_GAUGE, "weir_dataplane_uptime_seconds",
		"Time since the start of the data plane.");
	metrics_real(t, NULL, (double)(s->taken_ms - s->start_ms) / 1e3);
	metrics_counts(t, dataplane_rows(), s);
	metrics_family(t, METRICS_COUNTER, "weir_frames_total",
		"Frames received on client ports, by verdict.");
	for (unsigned v = 0; v < VERDICT_COUNT; v++)
		metrics_count(t, METRICS_LABELS({"verdict", verdict_names[v]}), s->verdict[v]);
	counters_out(t, s);
}

struct numbers { // numbers of workers as decimal text, and as labels
	char text[SHM_WORKERS_MAX][sizeof "4294967295"];
	struct metrics_labels worker[SHM_WORKERS_MAX];
};

static void numbers_fill(struct numbers *n, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		snprintf(n->text[i], sizeof(n->text[i]), "%u", i);
		n->worker[i] = METRICS_LABEL("worker", n->text[i]);
	}
}

#define WORKER_COUNTS(X)                                                                \
	X(FIRST, uint32_t, online, NONE, SAME, "Whether the worker's loop runs.")       \
	X(FIRST, uint32_t, lcore, NONE, SAME, "Logical core on which the worker runs.") \
	X(FIRST, uint32_t, mbuf_size, NONE, NAMED("mbufs"),                             \
		"Packet buffers of the worker's pool.")                                 \
	X(FIRST, uint32_t, mbuf_free, NONE, NAMED("mbufs_free"),                        \
		"Free packet buffers of the worker's pool.")                            \
	X(FIRST, uint64_t, mbuf_breaches, NONE, TOTAL,                                  \
		"Times that the mbuf audit could not account for all buffers.")         \
	X(FIRST, uint64_t, counter[COUNTER_rx_frames], NONE, NAMED("rx_frames_total"),  \
		"Frames received by the worker.")                                       \
	X(FIRST, uint64_t, counter[COUNTER_tx_frames], NONE, NAMED("tx_frames_total"),  \
		"Frames sent by the worker.")
COUNTS(worker_rows, struct stats_worker_copy, "weir_worker_", WORKER_COUNTS)

static void rings_out(struct metrics_text *t, const struct stats_copy *s, const struct numbers *n,
	const char *name, const char *help, bool is_size)
{
	metrics_family(t, METRICS_GAUGE, name, "%s", help);
	for (unsigned i = 0; i < s->workers; i++) {
		const struct stats_worker_copy *w = &s->worker[i];
		if (!w->has_rings)
			continue;
		metrics_count(t, METRICS_LABELS({"worker", n->text[i]}, {"ring", "miss"}),
			(uint64_t)RING_UNIT * (is_size ? w->miss_size : w->miss_used));
		metrics_count(t, METRICS_LABELS({"worker", n->text[i]}, {"ring", "answer"}),
			(uint64_t)RING_UNIT * (is_size ? w->answer_size : w->answer_used));
	}
}

// An owner that is a verdict is left out unless buffers are missing: there are many verdicts.
static void missing_out(struct metrics_text *t, const struct stats_copy *s, const struct numbers *n)
{
	metrics_family(t, METRICS_GAUGE, "weir_worker_mbufs_missing",
		"Packet buffers that are missing, by their last owner.");
	for (unsigned i = 0; i < s->workers; i++)
		for (unsigned o = 0; o < MBUF_OWNERS; o++)
			if (o < MBUF_OWNER_VERDICTS || s->worker[i].mbuf_missing[o])
				metrics_count(t,
					METRICS_LABELS({"worker", n->text[i]},
						{"owner", stats_owner_name(o)}),
					s->worker[i].mbuf_missing[o]);
}

void metrics_workers(struct metrics_text *t, const struct stats_copy *s)
{
	struct numbers n;
	numbers_fill(&n, s->workers);
	metrics_counts_rows(
		t, worker_rows(), s->worker, s->workers, sizeof(s->worker[0]), n.worker);
	metrics_family(t, METRICS_COUNTER, "weir_worker_sleep_seconds_total",
		"Time that the worker slept.");
	for (unsigned i = 0; i < s->workers; i++)
		metrics_real(
			t, n.worker[i].label, (double)s->worker[i].counter[COUNTER_sleep_us] / 1e6);
	missing_out(t, s, &n);
	metrics_family(t, METRICS_COUNTER, "weir_worker_busy_seconds_total",
		"Time that the worker spent in batches with packets.");
	for (unsigned i = 0; i < s->workers; i++)
		metrics_real(t, n.worker[i].label,
			s->tsc_hz ? (double)s->worker[i].counter[COUNTER_busy_cycles]
					    / (double)s->tsc_hz
				  : 0);
	rings_out(t, s, &n, "weir_ring_used_bytes", "Bytes in use of a ring between the processes.",
		false);
	rings_out(t, s, &n, "weir_ring_size_bytes", "Size of a ring between the processes.", true);
}

#define PORT_METRICS_COUNTS(X)                                                        \
	X(FIRST, uint64_t, ipackets, NONE, NAMED("rx_packets_total"),                 \
		"Packets that the port received.")                                    \
	X(FIRST, uint64_t, opackets, NONE, NAMED("tx_packets_total"),                 \
		"Packets that the port sent.")                                        \
	X(FIRST, uint64_t, imissed, NONE, NAMED("rx_missed_total"),                   \
		"Packets dropped because the receive queue was full.")                \
	X(FIRST, uint64_t, ierrors, NONE, NAMED("rx_errors_total"),                   \
		"Packets received with errors.")                                      \
	X(FIRST, uint64_t, oerrors, NONE, NAMED("tx_errors_total"),                   \
		"Packets not sent because of an error.")                              \
	X(FIRST, uint64_t, rx_nombuf, NONE, TOTAL,                                    \
		"Packets dropped because no packet buffer was free.")                 \
	X(FIRST, bool, link_up, NONE, SAME, "Whether the link is up.")                \
	X(FIRST, bool, is_exception, NONE, NAMED("exception"),                        \
		"Whether the port leads to the kernel.")                              \
	X(FIRST, uint32_t, link_changes, NONE, TOTAL, "Times that the link changed.") \
	X(FIRST, uint16_t, queues, NONE, SAME, "Queues of each direction.")
COUNTS(port_rows, struct stats_port_copy, "weir_port_", PORT_METRICS_COUNTS)

static void steering_out(struct metrics_text *t, const struct stats_copy *s)
{
	metrics_family(t, METRICS_COUNTER, "weir_port_steered_total",
		"Frames at the XDP program of a port, by its action.");
	for (unsigned p = 0; p < s->ports; p++)
		for (unsigned c = 0; s->port[p].is_xdp && c < STEER_COUNTERS; c++)
			metrics_count(t,
				METRICS_LABELS(
					{"port", s->port[p].name}, {"end", steer_counter_names[c]}),
				s->port[p].steer[c]);
}

void metrics_ports(struct metrics_text *t, const struct stats_copy *s)
{
	struct metrics_labels labels[STATS_PORTS_MAX];
	for (unsigned p = 0; p < s->ports; p++)
		labels[p] = METRICS_LABEL("port", s->port[p].name);
	metrics_counts_rows(t, port_rows(), s->port, s->ports, sizeof(s->port[0]), labels);
	metrics_family(t, METRICS_GAUGE, "weir_port_speed_bytes",
		"Bytes a second that the link can carry; 0: unknown.");
	for (unsigned p = 0; p < s->ports; p++)
		metrics_count(t, labels[p].label, (uint64_t)s->port[p].link_speed_mbps * 125000);
	steering_out(t, s);
}

void metrics_groups(struct metrics_text *t, const struct stats_copy *s, const struct config *c)
{
	metrics_family(t, METRICS_COUNTER, "weir_group_queries_total",
		"Queries over UDP by group of the client, if groups are configured.");
	for (unsigned g = 0; g <= c->group_count && g < STATS_GROUPS_MAX; g++)
		if (c->group_count)
			metrics_count(t,
				METRICS_LABELS({"group", g ? c->groups[g - 1].name : "everyone"}),
				s->group[g]);
}
