// SPDX-License-Identifier: BSD-3-Clause
// Counters of both processes: `weirctl stats` and `metrics`; and the settings of each port:
// `weirctl ports`, which needs only the data plane's statistics, and no control plane.

#include "lib/http_get.h"
#include "lib/stats_out.h"
#include "lib/table_cell.h"
#include "lib/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void interval_sleep(double s)
{
	struct timespec left = {.tv_sec = (time_t)s};
	left.tv_nsec = (long)((s - (double)left.tv_sec) * 1e9);
	nanosleep(&left, NULL);
}

// Rates are not known if the data plane has restarted meanwhile, because it counts from 0 again.
static void rates_make(const struct view *before, const struct view *after, struct stats_rates *r)
{
	const struct stats_copy *a = before->stats, *b = after->stats;
	r->known = before->has_stats && after->has_stats && b->taken_ms > a->taken_ms
		   && a->incarnation == b->incarnation && after->dataplane == PROCESS_UP;
	if (!r->known)
		return;
	r->seconds = (double)(b->taken_ms - a->taken_ms) / 1000;
	for (unsigned i = 0; i < VERDICT_COUNT; i++)
		r->verdict[i] = (double)(b->verdict[i] - a->verdict[i]) / r->seconds;
	for (unsigned i = 0; i < COUNTER_COUNT; i++)
		r->counter[i] = (double)(b->counter[i] - a->counter[i]) / r->seconds;
}

static int cmd_stats(struct ctl *c)
{
	struct view before, after;
	struct stats_rates rates = {0};
	int rc = ctl_open(c);
	if (rc == CTL_OK)
		rc = view_take(c, "/stats", &after);
	if (rc != CTL_OK)
		return rc;
	if (c->interval_s > 0 && after.dataplane == PROCESS_UP) {
		before = after;
		interval_sleep(c->interval_s);
		rc = view_take(c, "/stats", &after);
		if (rc == CTL_OK)
			rates_make(&before, &after, &rates);
		view_free(&before);
		if (rc != CTL_OK)
			return rc;
	}
	if (c->json)
		json_doc_end(stats_doc(&after, &rates));
	else
		stats_print(&after, &rates);
	bool any = after.has_stats || after.control;
	view_free(&after);
	return any ? CTL_OK : CTL_FAILED;
}

static int cmd_metrics(struct ctl *c)
{
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	return http_save(c, "/metrics", HTTP_SHORT_MS, stdout);
}

static void link_cell(struct table *t, const struct stats_port_copy *p)
{
	if (!p->link_up)
		table_cell(t, "down");
	else if (p->link_speed_mbps)
		table_cell(t, "up, %u Mbit/s", p->link_speed_mbps);
	else
		table_cell(t, "up");
}

static void table_of_ports(const struct stats_copy *s)
{
	static const char *const heads[] = {
		"port", "kind", "link", ">changes", "MAC", ">MTU", ">queues", NULL};
	struct table *t = table_new(heads);
	for (unsigned i = 0; i < s->ports; i++) {
		const struct stats_port_copy *p = &s->port[i];
		char mac[CONFIG_MAC_TEXT_MAX];
		table_cell(t, "%s", p->name);
		table_cell(t, p->is_exception ? "kernel" : "clients");
		link_cell(t, p);
		table_cell_count(t, p->link_changes);
		table_cell(t, "%s", config_mac_text((const struct config_mac *)p->mac, mac));
		table_cell(t, "%u", p->mtu);
		table_cell(t, "%u", p->queues);
		table_row_end(t);
	}
	table_print(t);
}

static void table_of_features(const struct stats_copy *s)
{
	static const char *const heads[] = {"port", "feature", "what it does", NULL};
	struct table *t = table_new(heads);
	for (unsigned i = 0; i < s->ports; i++) {
		for (unsigned f = 0; f < PORT_FEATURE_COUNT; f++) {
			if (!(s->port[i].features >> f & 1))
				continue;
			table_cell(t, "%s", s->port[i].name);
			table_cell(t, "%s", port_feature_names[f]);
			table_cell(t, "%s", port_feature_texts[f]);
			table_row_end(t);
		}
	}
	printf("\n");
	table_print(t);
}

static void ports_json(const struct stats_copy *s)
{
	struct json_doc *doc = json_doc_new();
	struct json_node *list = json_put_array(json_doc_root(doc), "ports");
	for (unsigned i = 0; i < s->ports; i++)
		stats_port_put(list, &s->port[i]);
	json_doc_end(doc);
}

static int cmd_ports(struct ctl *c)
{
	enum process_state state;
	char why[SHM_WHY_MAX];
	int rc = ctl_open(c);
	if (rc != CTL_OK)
		return rc;
	struct stats_copy *s = calloc(1, sizeof(*s));
	if (!s)
		return ctl_fail(c, "out of memory");
	if (!view_stats(c, true, &state, s, why)) {
		free(s);
		return ctl_fail(c, "%s", why);
	}
	if (c->json) {
		ports_json(s);
	} else {
		table_of_ports(s);
		table_of_features(s);
	}
	free(s);
	return CTL_OK;
}

CTL_COMMANDS = {
	{"stats", NULL, 0, 0, CTL_OPT_INTERVAL, cmd_stats, "[--interval S]",
		"Show the counters of both processes, with rates over S seconds: 1 if not given, 0 "
		"for totals only."},
	{"metrics", NULL, 0, 0, 0, cmd_metrics, "",
		"Print all metrics in the Prometheus text format."},
	{"ports", NULL, 0, 0, CTL_OPT_LOCAL, cmd_ports, "",
		"Show each port: link, addresses, queues, offloads."},
};
