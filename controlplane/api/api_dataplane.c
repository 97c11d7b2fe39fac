// SPDX-License-Identifier: BSD-3-Clause
// Endpoint of the data plane's own statistics, for weirctl on another machine: the fields of
// weir/stats_read.h. On this machine weirctl reads them where the data plane writes them.

#include "api_server.h"

#include <inttypes.h>
#include <stdio.h>
#include <weir/heap_site.h>
#include <weir/stats_read.h>

const struct stats_copy *api_stats_read(struct api *a, char why[SHM_WHY_MAX])
{
	const struct shm_paths *paths = publisher_paths(a->deps.publisher);
	why[0] = '\0';
	if (!a->stats)
		a->stats = heap_malloc(sizeof(*a->stats));
	a->stats_look = 0;
	return a->stats && paths && stats_read(paths, a->stats, why) == 0 ? a->stats : NULL;
}

const struct stats_copy *api_look_stats(const struct api_look *l)
{
	struct api *a = l->api;
	char why[SHM_WHY_MAX];
	if (a->stats_look != a->looks) {
		a->has_stats = api_stats_read(a, why) != NULL;
		a->stats_look = a->looks;
	}
	return a->has_stats ? a->stats : NULL;
}

static void counts_out(struct json_out *o, struct json_node *parent, const char *key,
	const char *const *names, const uint64_t *values, unsigned count)
{
	struct json_node *n = json_out_object(o, parent, key);
	for (unsigned i = 0; i < count; i++)
		if (values[i])
			json_out_count(o, n, names[i], values[i]);
}

static void worker_out(
	struct json_out *o, struct json_node *list, const struct stats_worker_copy *w)
{
	struct json_node *n = json_out_object(o, list, NULL);
#define X(field) json_out_count(o, n, #field, w->field);
	STATS_WORKER_FIELDS(X)
#undef X
	struct json_node *missing = json_out_object(o, n, "mbuf_missing");
	for (unsigned i = 0; i < MBUF_OWNERS; i++)
		if (w->mbuf_missing[i])
			json_out_count(o, missing, stats_owner_name(i), w->mbuf_missing[i]);
	counts_out(o, n, "verdicts", verdict_names, w->verdict, VERDICT_COUNT);
	counts_out(o, n, "counters", counter_names, w->counter, COUNTER_COUNT);
}

static void port_out(struct json_out *o, struct json_node *list, const struct stats_port_copy *p)
{
	char mac[CONFIG_MAC_TEXT_MAX];
	struct json_node *n = json_out_object(o, list, NULL);
	json_out_text(o, n, "name", p->name);
	json_out_text(o, n, "mac", config_mac_text((const struct config_mac *)p->mac, mac));
#define X(field) json_out_count(o, n, #field, p->field);
	STATS_PORT_FIELDS(X)
#undef X
	counts_out(o, n, "steering", steer_counter_names, p->steer, STEER_COUNTERS);
}

static void stats_out(struct json_out *o, struct json_node *n, const struct stats_copy *s)
{
	char incarnation[20];
	snprintf(incarnation, sizeof(incarnation), "%016" PRIx64, s->incarnation);
	json_out_text(o, n, "incarnation", incarnation);
	json_out_text(o, n, "version", s->version);
	json_out_text(o, n, "commit", s->commit);
#define X(field) json_out_count(o, n, #field, s->field);
	STATS_PROCESS_FIELDS(X)
#undef X
	counts_out(o, n, "verdicts", verdict_names, s->verdict, VERDICT_COUNT);
	counts_out(o, n, "counters", counter_names, s->counter, COUNTER_COUNT);
	struct json_node *groups = json_out_array(o, n, "groups");
	for (unsigned i = 0; i < STATS_GROUPS_MAX; i++) {
		if (s->group[i] == 0)
			continue;
		struct json_node *one = json_out_object(o, groups, NULL);
		json_out_count(o, one, "group", i);
		json_out_count(o, one, "queries", s->group[i]);
	}
	struct json_node *workers = json_out_array(o, n, "workers");
	for (unsigned i = 0; i < s->workers; i++)
		worker_out(o, workers, &s->worker[i]);
	struct json_node *ports = json_out_array(o, n, "ports");
	for (unsigned i = 0; i < s->ports; i++)
		port_out(o, ports, &s->port[i]);
}

static void serve_dataplane(struct api *a, struct http_exchange *x)
{
	char why[SHM_WHY_MAX];
	const struct shm_paths *paths = publisher_paths(a->deps.publisher);
	const struct stats_copy *s = api_stats_read(a, why);
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	const enum process_state state = paths ? dataplane_state(paths, s) : PROCESS_DOWN;
	json_out_text(o, root, "state", process_state_text(state));
	json_out_text(o, root, "why", why);
	if (s)
		stats_out(o, json_out_object(o, root, "stats"), s);
	http_reply(x, 200, json_out_finish(o));
}

static void stats_end(struct api *a)
{
	FREE_AND_NULL(a->stats);
}

const struct api_part api_dataplane_part = {
	.endpoint = {{"/dataplane", serve_dataplane, API_GET, CONTROL_READ, ""}},
	.close = stats_end,
};
