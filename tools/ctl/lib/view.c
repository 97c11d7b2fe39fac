// SPDX-License-Identifier: BSD-3-Clause

#include "view.h"

#include "cell.h"
#include "http_get.h"
#include "say.h"
#include "stats_take.h"
#include "terminal/term_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/clock.h>

enum { VIEW_ROWS = 6 }; // of a table on a terminal: the rest has a command of its own

static void remote_take_view(const struct ctl *c, const char *path, struct view *v)
{
	char why[HTTP_WHY_MAX];
	v->has_stats = stats_ask(c, &v->dataplane, v->stats, v->why_stats);
	enum http_outcome outcome =
		http_call(c, false, path, NULL, HTTP_SHORT_MS, &v->control, why);
	v->controlplane = outcome == HTTP_OK ? PROCESS_UP : PROCESS_UNKNOWN;
	if (outcome == HTTP_OK)
		return;
	json_doc_free(v->control);
	v->control = NULL;
	snprintf(v->why_control, sizeof(v->why_control), "%s", why);
}

static void control_take(const struct ctl *c, const char *path, struct view *v)
{
	uint64_t silent_ms = 0;
	char text[FIGURE_MAX], why[HTTP_WHY_MAX];
	v->controlplane = controlplane_state(&c->paths, &silent_ms);
	if (v->controlplane == PROCESS_DOWN)
		return;
	// Asking would only take time.
	if (v->controlplane == PROCESS_STARTING || v->controlplane == PROCESS_STOPPING) {
		snprintf(v->why_control, sizeof(v->why_control), "for %s",
			figure_duration(silent_ms, text));
		return;
	}
	if (v->controlplane == PROCESS_HUNG) {
		snprintf(v->why_control, sizeof(v->why_control), "last seen %s ago",
			figure_duration(silent_ms, text));
		return;
	}
	enum http_outcome outcome = http_call(c, false, path, NULL, HTTP_LOOK_MS, &v->control, why);
	if (outcome == HTTP_OK) {
		v->controlplane = PROCESS_UP;
		return;
	}
	json_doc_free(v->control);
	v->control = NULL;
	if (outcome == HTTP_SILENT)
		v->controlplane = PROCESS_HUNG;
	if (outcome == HTTP_NOBODY && v->controlplane == PROCESS_UNKNOWN)
		v->controlplane = PROCESS_DOWN;
	snprintf(v->why_control, sizeof(v->why_control), "its control socket: %s",
		outcome == HTTP_DENIED ? HTTP_DENIED_TEXT : why);
}

int view_take(const struct ctl *c, const char *path, struct view *out)
{
	*out = (struct view){.stats = calloc(1, sizeof(*out->stats))};
	if (!out->stats)
		return ctl_fail(c, "out of memory");
	if (c->remote_options.host) {
		remote_take_view(c, path, out);
		return CTL_OK;
	}
	control_take(c, path, out);
	// Read after the control plane's status: if that says its link is up, these are not the
	// statistics of an earlier control plane's time.
	out->has_stats = stats_take(
		c, out->controlplane == PROCESS_UP, &out->dataplane, out->stats, out->why_stats);
	return CTL_OK;
}

void view_free(struct view *v)
{
	json_doc_free(v->control);
	free(v->stats);
}

static void dataplane_print(const struct view *v)
{
	char text[FIGURE_MAX], shown[SHM_WHY_MAX * 4];
	const struct stats_copy *s = v->stats;
	printf("data plane      %s", process_state_text(v->dataplane));
	if (!v->has_stats)
		printf(" (%s)", term_text(v->why_stats, shown, sizeof(shown)));
	else if (v->dataplane == PROCESS_UP)
		printf(", pid %u, for %s", s->pid,
			figure_duration(s->taken_ms - s->start_ms, text));
	else
		printf(", last seen %s ago; its numbers are the last known",
			figure_duration(s->taken_ms - s->heartbeat_ms, text));
	printf("\n");
	for (unsigned i = 0; i < s->workers && v->dataplane == PROCESS_UP; i++) {
		uint64_t beat = s->worker[i].heartbeat_ms;
		if (s->taken_ms > beat && s->taken_ms - beat > STATS_HUNG_MS)
			printf("  worker %u on core %u is hung: last seen %s ago\n", i,
				s->worker[i].lcore, figure_duration(s->taken_ms - beat, text));
	}
	if (v->dataplane == PROCESS_UP && s->workers && s->worker[0].bench_mode)
		printf("  BENCH MODE (%s): for measurements only, not for service\n",
			bench_mode_names[s->worker[0].bench_mode]);
	if (v->dataplane == PROCESS_UP && !s->control_seen)
		printf("  no link to the control plane\n");
}

void view_put_controlplane(struct json_node *root, const struct view *v)
{
	struct json_node *cp = json_put_object(root, "controlplane");
	json_put_text(cp, "state", process_state_text(v->controlplane));
	if (v->control)
		json_put_all(cp, json_doc_root(v->control));
	else if (v->controlplane != PROCESS_DOWN)
		json_put_text(cp, "why", v->why_control);
}

struct json_doc *view_status_doc(const struct view *v)
{
	struct json_doc *doc = json_doc_new();
	struct json_node *root = json_doc_root(doc);
	struct json_node *dp = json_put_object(root, "dataplane");
	const struct stats_copy *s = v->stats;
	json_put_text(dp, "state", process_state_text(v->dataplane));
	if (v->has_stats) {
		json_put_count(dp, "pid", s->pid);
		json_put_text(dp, "version", s->version);
		json_put_text(dp, "commit", s->commit);
		json_put_count(dp, "workers", s->workers);
		json_put_count(dp, "ports", s->ports);
		json_put_count(dp, "uptime_ms", s->taken_ms - s->start_ms);
		json_put_count(dp, "heartbeat_age_ms", s->taken_ms - s->heartbeat_ms);
		json_put_bool(dp, "link_up", s->control_seen != 0);
		json_put_text(dp, "bench", bench_mode_names[s->worker[0].bench_mode]);
		json_put_count(dp, "l0_generation", s->l0_generation);
		json_put_count(dp, "rule_image_generation", s->rule_image_generation);
		json_put_count(dp, "config_generation", s->config_generation);
		json_put_count(dp, "policy_generation", s->policy_generation);
		json_put_count(dp, "hops_generation", s->hops_generation);
	} else {
		json_put_text(dp, "why", v->why_stats);
	}
	view_put_controlplane(root, v);
	return doc;
}

// One line where both are of one build, which is so but for the time of an upgrade.
static void versions_print(const struct view *v)
{
	const char *dp = v->dataplane == PROCESS_UP && v->has_stats ? v->stats->version : "";
	const char *cp = json_text(json_doc_root(v->control), "version");
	char shown[2][BUILD_TEXT_MAX * 4];
	term_text(dp, shown[0], sizeof(shown[0]));
	term_text(cp, shown[1], sizeof(shown[1]));
	if (*dp && *cp && strcmp(dp, cp) != 0)
		printf("VERSIONS DIFFER the data plane is of %s, the control plane of %s: restart "
		       "both\n",
			shown[0], shown[1]);
	else if (*dp || *cp)
		printf("version         %s\n", *cp ? shown[1] : shown[0]);
}

void view_print_states(const struct view *v)
{
	char text[FIGURE_MAX], shown[SHM_WHY_MAX * 4];
	dataplane_print(v);
	const struct json_node *root = json_doc_root(v->control);
	printf("control plane   %s", process_state_text(v->controlplane));
	if (json_get(root, "pid"))
		printf(", pid %llu, for %s", json_count(root, "pid"),
			figure_duration(json_count(root, "uptime_ms"), text));
	if (v->controlplane != PROCESS_DOWN && !v->control)
		printf(" (%s)", term_text(v->why_control, shown, sizeof(shown)));
	printf("\n");
	if (v->controlplane == PROCESS_DOWN)
		printf("  the control plane is down; %s\n",
			v->dataplane == PROCESS_UP ? HTTP_SERVED_TEXT : "no client is answered");
	versions_print(v);
}

void view_print_kinds(const struct json_node *rules)
{
	const struct json_node *kinds = json_get(rules, "kinds");
	uint64_t lists = 0;
	for (size_t i = 0; i < json_length(kinds); i++)
		lists += json_count(json_at(kinds, i), "lists");
	printf("%llu lists", (unsigned long long)lists);
	for (size_t i = 0; i < json_length(kinds); i++) {
		printf("%s", i ? ", " : ": ");
		say(json_at(kinds, i), "{lists:u} {kind}");
	}
}

void view_print_redis(const struct json_node *redis)
{
	const char *state = json_text(redis, "state");
	if (!*state || strcmp(state, "off") == 0)
		return;
	say(redis, "cache (L1)      Redis {server}: {state}");
	say_if(redis, "away_ms", " for {away_ms:t}");
	say_if(redis, "keys_known", ", {keys:n} answers");
	say_if(redis, "error", " ({error_ms:t} ago: {error})");
	printf("\n");
	if (strcmp(state, "refusing") == 0)
		printf("  Redis refuses every write: no new answers are stored\n");
	if (strcmp(state, "partial") == 0)
		printf("  part of the cluster is unreachable: its keys are neither read nor "
		       "written\n");
	say_if(redis, "housekeeping_error",
		"  housekeeping fails, redis.max_keys does not hold: {housekeeping_error}\n");
}

static void state_cell(struct table *t, const struct json_node *u, const char *key)
{
	char text[FIGURE_MAX];
	if (json_flag(u, "drained"))
		table_cell(t, "drained");
	else if (json_flag(u, key))
		table_cell(t, "%s%s",
			json_flag(u, "failing")   ? "failing"
			: json_flag(u, "suspect") ? "suspect"
						  : "up",
			json_flag(u, "edns_off") ? ", no EDNS" : "");
	else if (json_flag(u, "no_address"))
		table_cell(t, "no address");
	else if (json_count(u, "down_for_ms") == 0)
		table_cell(t, "down");
	else
		table_cell(t, "down, %s left", figure_duration(json_count(u, "down_for_ms"), text));
}

static void srtt_cell(struct table *t, const struct json_node *u, const char *key)
{
	table_cell(t, "%.1f ms", (double)json_count(u, key) / 1000);
}

void view_print_upstreams(const struct json_node *upstreams)
{
	static const struct cell_column columns[] = {{"upstream", "name", cell_text},
		{"address", "address", cell_text}, {"state", "up", state_cell},
		{">sent", "sent", cell_count}, {">answered", "answered", cell_count},
		{">timeouts", "timeouts", cell_count}, {">failures", "failures", cell_count},
		{">srtt", "srtt_us", srtt_cell}};
	struct table *t = cell_table(columns, ARRAY_LEN(columns));
	for (size_t i = 0; i < json_length(upstreams); i++) {
		cell_row(t, json_at(upstreams, i), columns, ARRAY_LEN(columns));
		table_row_end(t);
	}
	printf("\n");
	table_print_some(t, VIEW_ROWS, "weirctl upstreams");
}

static void host_print(const struct json_node *h)
{
	const struct json_node *addresses = json_get(h, "addresses");
	char shown[SHM_WHY_MAX];

	if (!json_flag(h, "resolved")) {
		say(h, "{host}: NAME NOT RESOLVED, since {since_s:s}");
	} else {
		say(h, "{host}: ");
		for (size_t i = 0; i < json_length(addresses); i++)
			printf("%s%s", i ? ", " : "",
				term_text(json_item_text(addresses, i), shown, sizeof(shown)));
		say(h, ", resolved {resolved_s:s} ago");
	}
	say(h, ", next lookup in {next_s:s}; {lookups:n} lookups, {failures:n} failed");
	say_if(h, "error", " (the latest: {error})");
	say_if(h, "refused", "; {refused:n} addresses refused: weir's own, or no host's");
	say_if(h, "left_out", "; {left_out:n} addresses too many");
	say_if(h, "unreachable", "; {unreachable:n} addresses without a route");
	printf("\n");
}

void view_print_hosts(const struct json_node *hosts)
{
	for (size_t i = 0; i < json_length(hosts); i++)
		host_print(json_at(hosts, i));
}

void view_print_groups(const struct view *v, const struct json_node *groups)
{
	static const char *const heads[] = {
		"group", ">prefixes", ">queries", "lists", "cache", "upstreams", ">view", NULL};
	if (json_length(groups) == 0)
		return;
	struct table *t = table_new(heads);
	for (size_t i = 0; i < json_length(groups); i++) {
		const struct json_node *g = json_at(groups, i);
		uint64_t number = json_count(g, "group");
		cell_text(t, g, "name");
		cell_count(t, g, "prefixes");
		if (v->has_stats && number < STATS_GROUPS_MAX)
			table_cell_count(t, v->stats->group[number]);
		else
			table_cell(t, "-");
		cell_group_lists(t, g, "lists");
		table_cell(t, json_flag(g, "cache") ? "yes" : "no");
		if (json_length(json_get(g, "upstreams")))
			cell_items(t, g, "upstreams");
		else
			table_cell(t, "everyone's");
		cell_count(t, g, "view");
		table_row_end(t);
	}
	printf("\n");
	table_print_some(t, VIEW_ROWS, "weirctl groups");
}
