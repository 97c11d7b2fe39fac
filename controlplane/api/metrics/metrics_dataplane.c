// SPDX-License-Identifier: BSD-3-Clause
// Metrics of the data plane, from a copy of its statistics.

#include "metrics.h"

#include <stdio.h>
#include <string.h>

#define GAUGE(field, metric, text, scale) \
	METRICS_FIELD(                    \
		METRICS_GAUGE, struct stats_copy, field, "weir_dataplane_" metric, text, scale)
#define COUNTER(field, metric, text, scale) \
	METRICS_FIELD(                      \
		METRICS_COUNTER, struct stats_copy, field, "weir_dataplane_" metric, text, scale)

static const struct metrics_field of_all[] = {
	GAUGE(control_seen, "link_up", "Whether the data plane sees a control plane.", 0),
	GAUGE(workers, "workers", "Workers of the data plane.", 0),
	GAUGE(l0_generation, "l0_generation", "Generation of L0 that all workers use.", 0),
	GAUGE(rule_image_generation, "rule_image_generation",
		"Generation of the rule image that all workers use.", 0),
	GAUGE(config_generation, "config_generation",
		"Generation of the settings that all workers use.", 0),
	GAUGE(policy_generation, "policy_generation",
		"Generation of the policy image that all workers use.", 0),
	GAUGE(hops_generation, "hops_generation",
		"Generation of the hops image that all workers use.", 0),
	GAUGE(verdict_gap, "verdict_gap",
		"Frames received that have no verdict; 0 without traffic.", 0),
	GAUGE(limit_empty, "limit_empty", "Cells of the rate limiter without queries left.", 0),
	GAUGE(drops_in_force, "drops_in_force", "Drop rules for a source that ports carry out.", 0),
	GAUGE(drops_partial, "drops_partial",
		"Drop rules in force that a port cannot carry out, or not for frames with a VLAN "
		"tag.",
		0),
	GAUGE(drops_refused, "drops_refused", "Drop rules for a source that no port accepted.", 0),
	COUNTER(log_lost, "messages_lost_total",
		"Log messages lost because the stderr of the data plane was not read.", 0),
};

// Microseconds and cycles become seconds, as units go in metrics.
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
	metrics_fields(t, s, of_all, ARRAY_LEN(of_all));
	metrics_family(t, METRICS_COUNTER, "weir_frames_total",
		"Frames received on client ports, by verdict.");
	for (unsigned v = 0; v < VERDICT_COUNT; v++)
		metrics_count(t, METRICS_LABELS({"verdict", verdict_names[v]}), s->verdict[v]);
	counters_out(t, s);
}

struct numbers { // decimal, of workers and groups
	char text[SHM_WORKERS_MAX][sizeof "4294967295"];
	const char *name[SHM_WORKERS_MAX];
};

static void numbers_fill(struct numbers *n, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		snprintf(n->text[i], sizeof(n->text[i]), "%u", i);
		n->name[i] = n->text[i];
	}
}

#undef GAUGE
#undef COUNTER
#define GAUGE(field, metric, text, scale)                                                          \
	METRICS_FIELD(METRICS_GAUGE, struct stats_worker_copy, field, "weir_worker_" metric, text, \
		scale)
static const struct metrics_field of_workers[] = {
	GAUGE(online, "online", "Whether the worker's loop runs.", 0),
	GAUGE(lcore, "lcore", "Logical core on which the worker runs.", 0),
	GAUGE(mbuf_size, "mbufs", "Packet buffers of the worker's pool.", 0),
	GAUGE(mbuf_free, "mbufs_free", "Free packet buffers of the worker's pool.", 0),
	METRICS_FIELD(METRICS_COUNTER, struct stats_worker_copy, mbuf_breaches,
		"weir_worker_mbuf_breaches_total",
		"Times that the mbuf audit could not account for all buffers.", 0),
	METRICS_FIELD(METRICS_COUNTER, struct stats_worker_copy, counter[COUNTER_rx_frames],
		"weir_worker_rx_frames_total", "Frames received by the worker.", 0),
	METRICS_FIELD(METRICS_COUNTER, struct stats_worker_copy, counter[COUNTER_tx_frames],
		"weir_worker_tx_frames_total", "Frames sent by the worker.", 0),
	METRICS_FIELD(METRICS_COUNTER, struct stats_worker_copy, counter[COUNTER_sleep_us],
		"weir_worker_sleep_seconds_total", "Time that the worker slept.", 1e-6),
};

static void rings_out(struct metrics_text *t, const struct stats_copy *s, const struct numbers *n,
	const char *name, const char *help, bool is_size)
{
	metrics_family(t, METRICS_GAUGE, name, "%s", help);
	for (unsigned i = 0; i < s->workers; i++) {
		const struct stats_worker_copy *w = &s->worker[i];
		if (!w->has_rings)
			continue;
		metrics_count(t, METRICS_LABELS({"worker", n->name[i]}, {"ring", "miss"}),
			(uint64_t)RING_UNIT * (is_size ? w->miss_size : w->miss_used));
		metrics_count(t, METRICS_LABELS({"worker", n->name[i]}, {"ring", "answer"}),
			(uint64_t)RING_UNIT * (is_size ? w->answer_size : w->answer_used));
	}
}

// Of the owners that are verdicts only those with missing buffers: there are many.
static void missing_out(struct metrics_text *t, const struct stats_copy *s, const struct numbers *n)
{
	metrics_family(t, METRICS_GAUGE, "weir_worker_mbufs_missing",
		"Packet buffers that are missing, by their last owner.");
	for (unsigned i = 0; i < s->workers; i++)
		for (unsigned o = 0; o < MBUF_OWNERS; o++)
			if (o < MBUF_OWNER_VERDICTS || s->worker[i].mbuf_missing[o])
				metrics_count(t,
					METRICS_LABELS({"worker", n->name[i]},
						{"owner", stats_owner_name(o)}),
					s->worker[i].mbuf_missing[o]);
}

void metrics_workers(struct metrics_text *t, const struct stats_copy *s)
{
	struct numbers n;
	numbers_fill(&n, s->workers);
	metrics_field_rows(t, of_workers, ARRAY_LEN(of_workers), s->worker, s->workers,
		sizeof(s->worker[0]), "worker", n.name);
	missing_out(t, s, &n);
	metrics_family(t, METRICS_COUNTER, "weir_worker_busy_seconds_total",
		"Time that the worker spent in batches with packets.");
	for (unsigned i = 0; i < s->workers; i++)
		metrics_real(t, METRICS_LABELS({"worker", n.name[i]}),
			s->tsc_hz ? (double)s->worker[i].counter[COUNTER_busy_cycles]
					    / (double)s->tsc_hz
				  : 0);
	rings_out(t, s, &n, "weir_ring_used_bytes", "Bytes in use of a ring between the processes.",
		false);
	rings_out(t, s, &n, "weir_ring_size_bytes", "Size of a ring between the processes.", true);
}

#define PORT(kind, field, metric, text) \
	METRICS_FIELD(kind, struct stats_port_copy, field, "weir_port_" metric, text, 0)
static const struct metrics_field of_ports[] = {
	PORT(METRICS_COUNTER, ipackets, "rx_packets_total", "Packets that the port received."),
	PORT(METRICS_COUNTER, opackets, "tx_packets_total", "Packets that the port sent."),
	PORT(METRICS_COUNTER, imissed, "rx_missed_total",
		"Packets dropped because the receive queue was full."),
	PORT(METRICS_COUNTER, ierrors, "rx_errors_total", "Packets received with errors."),
	PORT(METRICS_COUNTER, oerrors, "tx_errors_total", "Packets not sent because of an error."),
	PORT(METRICS_COUNTER, rx_nombuf, "rx_nombuf_total",
		"Packets dropped because no packet buffer was free."),
	PORT(METRICS_GAUGE, link_up, "link_up", "Whether the link is up."),
	PORT(METRICS_GAUGE, is_exception, "exception", "Whether the port leads to the kernel."),
	PORT(METRICS_COUNTER, link_changes, "link_changes_total", "Times that the link changed."),
	PORT(METRICS_GAUGE, queues, "queues", "Queues of each direction."),
	METRICS_FIELD(METRICS_GAUGE, struct stats_port_copy, link_speed_mbps,
		"weir_port_speed_bytes", "Bytes a second that the link can carry; 0: unknown.",
		125000),
};

static void steering_out(
	struct metrics_text *t, const struct stats_copy *s, const char *const *names)
{
	metrics_family(t, METRICS_COUNTER, "weir_port_steered_total",
		"Frames at the XDP program of a port, by its action.");
	for (unsigned p = 0; p < s->ports; p++)
		for (unsigned c = 0; s->port[p].is_xdp && c < STEER_COUNTERS; c++)
			metrics_count(t,
				METRICS_LABELS({"port", names[p]}, {"end", steer_counter_names[c]}),
				s->port[p].steer[c]);
}

void metrics_ports(struct metrics_text *t, const struct stats_copy *s)
{
	const char *names[STATS_PORTS_MAX];
	for (unsigned p = 0; p < s->ports; p++)
		names[p] = s->port[p].name;
	metrics_field_rows(t, of_ports, ARRAY_LEN(of_ports), s->port, s->ports, sizeof(s->port[0]),
		"port", names);
	steering_out(t, s, names);
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
