// SPDX-License-Identifier: BSD-3-Clause
#include "stats_remote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void counts_read(
	const struct json_node *n, const char *const *names, uint64_t *values, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		values[i] = json_count(n, names[i]);
}

static unsigned at_most(size_t n, unsigned max)
{
	return n < max ? (unsigned)n : max;
}

static void worker_read(const struct json_node *n, struct stats_worker_copy *w)
{
#define X(field) w->field = (typeof(w->field))json_count(n, #field);
	STATS_WORKER_FIELDS(X)
#undef X
	if (w->bench_mode >= BENCH_MODES)
		w->bench_mode = 0;
	const struct json_node *missing = json_get(n, "mbuf_missing");
	for (unsigned i = 0; i < MBUF_OWNERS; i++)
		w->mbuf_missing[i] = (uint32_t)json_count(missing, stats_owner_name(i));
	counts_read(json_get(n, "verdicts"), verdict_names, w->verdict, VERDICT_COUNT);
	counts_read(json_get(n, "counters"), counter_names, w->counter, COUNTER_COUNT);
}

static void port_read(const struct json_node *n, struct stats_port_copy *p)
{
	snprintf(p->name, sizeof(p->name), "%s", json_text(n, "name"));
	const char *mac = json_text(n, "mac");
	for (unsigned i = 0; i < sizeof(p->mac) && strlen(mac) >= 3 * (size_t)i + 2; i++)
		p->mac[i] = (uint8_t)strtoul(mac + 3 * (size_t)i, NULL, 16);
#define X(field) p->field = (typeof(p->field))json_count(n, #field);
	STATS_PORT_FIELDS(X)
#undef X
	counts_read(json_get(n, "steering"), steer_counter_names, p->steer, STEER_COUNTERS);
}

static void stats_read_all(const struct json_node *n, struct stats_copy *s)
{
	const struct json_node *groups = json_get(n, "groups"), *workers = json_get(n, "workers"),
			       *ports = json_get(n, "ports");
	s->incarnation = strtoull(json_text(n, "incarnation"), NULL, 16);
	snprintf(s->version, sizeof(s->version), "%s", json_text(n, "version"));
	snprintf(s->commit, sizeof(s->commit), "%s", json_text(n, "commit"));
#define X(field) s->field = (typeof(s->field))json_count(n, #field);
	STATS_PROCESS_FIELDS(X)
#undef X
	counts_read(json_get(n, "verdicts"), verdict_names, s->verdict, VERDICT_COUNT);
	counts_read(json_get(n, "counters"), counter_names, s->counter, COUNTER_COUNT);
	for (size_t i = 0; i < json_length(groups); i++) {
		const struct json_node *one = json_at(groups, i);
		const uint64_t group = json_count(one, "group");
		if (group < STATS_GROUPS_MAX)
			s->group[group] = json_count(one, "queries");
	}
	s->workers = at_most(json_length(workers), SHM_WORKERS_MAX);
	for (unsigned i = 0; i < s->workers; i++)
		worker_read(json_at(workers, i), &s->worker[i]);
	s->ports = at_most(json_length(ports), STATS_PORTS_MAX);
	for (unsigned i = 0; i < s->ports; i++)
		port_read(json_at(ports, i), &s->port[i]);
}

bool stats_remote(const struct json_node *root, enum process_state *state, struct stats_copy *out,
	char why[SHM_WHY_MAX])
{
	const char *text = json_text(root, "state");
	const struct json_node *stats = json_get(root, "stats");
	*state = PROCESS_UNKNOWN;
	for (int s = PROCESS_DOWN; s <= PROCESS_HUNG; s++)
		if (strcmp(text, process_state_text((enum process_state)s)) == 0)
			*state = (enum process_state)s;
	if (stats)
		stats_read_all(stats, out);
	else
		snprintf(why, SHM_WHY_MAX, "%s", json_text(root, "why"));
	return stats != NULL;
}
