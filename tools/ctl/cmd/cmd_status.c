// SPDX-License-Identifier: BSD-3-Clause

#include "cmd_status_problems.h"
#include "lib/say.h"
#include "lib/show.h"
#include "lib/table_out.h"
#include "lib/view.h"
#include "terminal/term_text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { RULES_LAG_SHOWN_MS = 1000 };

// What the workers use, as far as the data plane's statistics can be read.
static void activated_cell(struct table *t, const struct view *v, uint64_t generation)
{
	if (v->has_stats)
		table_cell_count(t, generation);
	else
		table_cell(t, "-");
}

// Do the workers use what is published?
static bool is_activated(const struct view *v, const struct json_node *g)
{
	const struct stats_copy *s = v->stats;
	return v->has_stats && json_count(g, "l0") == s->l0_generation
	       && json_count(g, "rule_image") == s->rule_image_generation
	       && json_count(g, "policy") == s->policy_generation
	       && json_count(g, "config") == s->config_generation;
}

static void generations_print(const struct view *v)
{
	static const char *const heads[] = {"", ">published", ">activated", ">size", "in", NULL};
	const struct json_node *root = json_doc_root(v->control);
	const struct json_node *g = json_get(root, "generations");
	char text[FIGURE_MAX];
	struct table *t = table_new(heads);
	table_cell(t, "cache");
	table_cell_count(t, json_count(g, "l0"));
	activated_cell(t, v, v->stats->l0_generation);
	table_cell(t, "%s", figure_bytes(json_count(g, "l0_bytes"), text));
	table_cell(t, "%s", json_text(g, "l0_where"));
	table_row_end(t);
	table_cell(t, "rules");
	table_cell_count(t, json_count(g, "rule_image"));
	activated_cell(t, v, v->stats->rule_image_generation);
	table_cell(t, "%s", figure_bytes(json_count(g, "rule_image_bytes"), text));
	table_cell(t, "%s", json_text(g, "rule_image_where"));
	table_row_end(t);
	table_cell(t, "groups");
	table_cell_count(t, json_count(g, "policy"));
	activated_cell(t, v, v->stats->policy_generation);
	table_row_end(t);
	table_cell(t, "settings");
	table_cell_count(t, json_count(g, "config"));
	activated_cell(t, v, v->stats->config_generation);
	table_row_end(t);
	printf("\n");
	table_print(t);
}

static void lags_print(const struct json_node *g)
{
	if (json_count(g, "rules_lag_ms") >= RULES_LAG_SHOWN_MS)
		say(g, "  RULES NOT ACTIVE: the data plane has not activated them for "
		       "{rules_lag_ms:t}\n");
	if (json_count(g, "policy_lag_ms") >= RULES_LAG_SHOWN_MS)
		say(g, "  GROUPS NOT ACTIVE: the data plane has not activated groups, access and "
		       "limits for {policy_lag_ms:t}\n");
	say_if(g, "retired_waiting",
		"  {retired_waiting:u} old generations wait for a worker to release them\n");
}

static void listen_print(const struct json_node *n)
{
	if (!n)
		return;
	say(n, "metrics         {address}");
	if (!say_if(n, "listening", ", {connections:n} connections\n"))
		say(n, ", NOT LISTENING: {error}, tried {failures:n} times\n");
}

static void access_print(const struct json_node *n)
{
	show_texts(json_get(n, "damaged"),
		"DAMAGED         nothing in it is valid; move it away and restart: ");
	say_if(n, "certificates_error",
		"CERTIFICATES    of control.listen: {certificates_error}\n");
}

static void ago_print(const char *what, int64_t unix_s)
{
	char text[FIGURE_MAX];
	int64_t now = time(NULL);
	printf("%s %s ago", what,
		figure_duration(now > unix_s ? 1000 * (uint64_t)(now - unix_s) : 0, text));
}

static void version_print(const struct json_node *n)
{
	const int64_t since = json_signed(n, "since_unix_s");
	if (!json_count(n, "version"))
		return;
	say(n, "  version {version:u}, by {who}: {what}");
	ago_print(", in force since", since);
	say_if(n, "watch_left_s", ", its health is watched for {watch_left_s:u} s more");
	printf("\n");
	say_if(n, "fallen_why",
		"  HEALTH FELL with version {version:u}, which stays in force: {fallen_why}\n");
	say_if(n, "taken_back", "  version {taken_back:u} was TAKEN BACK: {taken_back_why}\n");
	say_if(n, "store_error", "  VERSIONS CANNOT BE STORED: {store_error}\n");
}

static void reload_print(const struct json_node *r)
{
	if (json_count(r, "loaded_unix_s"))
		ago_print(", read", json_signed(r, "loaded_unix_s"));
	printf("\n");
	if (json_count(r, "tried_unix_s") && !json_flag(r, "ok")) {
		ago_print("  THE LAST RELOAD FAILED", json_signed(r, "tried_unix_s"));
		say(r, ": {why}\n");
	}
	say_if(r, "restart_pending", "  needs a restart: {needs_restart}\n");
}

static void blocking_print(const struct json_node *b)
{
	if (b && !json_flag(b, "enabled"))
		printf("  BLOCKING IS OFF (blocking.enabled)\n");
	say_if(b, "pause_left_s",
		"  PAUSED for everyone, {pause_left_s:s} left (weirctl blocklist resume)\n");
	say_each(json_get(b, "paused_groups"),
		"  PAUSED for group {group}, {pause_left_s:s} left\n");
	say_if(b, "held", "  HELD: the rules of a rollback, until weirctl blocklist reload\n");
}

// What clients get where a reason of /ready says that none answers.
static void upstreams_note(const struct json_node *root)
{
	const struct json_node *list = json_get(root, "upstreams");
	size_t count = json_length(list), up = 0;
	uint64_t sets = json_count(root, "upstream_sets_down");
	for (size_t i = 0; i < count; i++)
		up += json_flag(json_at(list, i), "up");
	if (count && up == 0)
		printf("\nNO UPSTREAM ANSWERS: cached, blocked and local names are served; other "
		       "queries get stale answers or SERVFAIL\n");
	if (sets > (count && up == 0))
		printf("\nNO SERVER ANSWERS for %llu of the %llu sets of servers of groups and "
		       "forwarding zones\n",
			(unsigned long long)(sets - (count && up == 0)),
			json_count(root, "upstream_sets") - 1);
}

static void events_print(const struct json_node *root)
{
	const struct json_node *outputs = json_get(root, "event_outputs");
	if (json_flag(json_get(root, "readiness"), "drained"))
		printf("DRAINED         /ready is 503 (weirctl undrain)\n");
	for (size_t i = 0; i < json_length(outputs); i++) {
		const struct json_node *n = json_at(outputs, i);
		if (strcmp(json_text(n, "state"), "failing") == 0)
			say(n, "events          {name} failing, next try in {retry_in_ms:t}: "
			       "{why}\n");
		say_if(n, "lost", "events          {name} LOST {lost:n} events\n");
	}
}

static void updates_print(const struct json_node *n)
{
	say_if(n, "available",
		"UPDATE          version {version} is there; weir installs nothing\n");
	say_if(n, "why", "updates         THE LAST CHECK FAILED: {why}\n");
}

static void control_print(const struct view *v)
{
	const struct json_node *root = json_doc_root(v->control);
	const struct json_node *rules = json_get(root, "rules");
	say(root, "configuration   {config}");
	reload_print(json_get(root, "reload"));
	version_print(json_get(root, "config_version"));
	say(rules, "rules           {names:n} names from ");
	view_print_kinds(rules);
	say_if(rules, "building", ", building");
	say_if(rules, "from_disk", ", from disk");
	printf("\n");
	say_if(rules, "error", "  last reload: {error}\n");
	show_texts(json_get(rules, "failing"), "  NOT updated: ");
	blocking_print(json_get(root, "blocking"));
	say(root, "cache           {l0_entries:n} answers\n");
	say_if(json_get(root, "wall_clock"), "steps",
		"  the wall clock jumped forward {steps:n} times, by {stepped_ms:t} in total: "
		"cached answers aged by as much\n");
	say_each(json_get(root, "memory_alarms"),
		"MEMORY GROWS    {kind} {name} of the {process} (weirctl mem alarms)\n");
	view_print_redis(json_get(root, "redis"));
	say(root, "in flight       {inflight:n} questions, {waiters:n} waiting clients\n");
	view_print_fallback(v, json_get(root, "fallback"));
	view_print_store(json_get(root, "query_store"));
	view_print_clickhouse(json_get(root, "clickhouse"));
	view_print_log(json_get(root, "query_log"));
	events_print(root);
	updates_print(json_get(root, "updates"));
	listen_print(json_get(root, "metrics_listen"));
	access_print(json_get(root, "access"));
	// On a terminal only where it says something: the state is to fit one screen.
	if (term_columns() == 0 || !is_activated(v, json_get(root, "generations")))
		generations_print(v);
	lags_print(json_get(root, "generations"));
	view_print_groups(v, json_get(root, "groups"));
	upstreams_note(root);
	view_print_upstreams(json_get(root, "upstreams"));
	view_print_hosts(json_get(root, "hosts"));
}

int cmd_status(struct ctl *c)
{
	struct view v;
	int rc = ctl_open(c);
	if (rc == CTL_OK)
		rc = view_take(c, "/status", &v);
	if (rc != CTL_OK)
		return rc;
	if (c->json) {
		json_doc_end(view_status_doc(&v));
	} else {
		view_print_states(&v);
		if (v.control) {
			status_problems_print(c, json_doc_root(v.control));
			control_print(&v);
		}
	}
	// A box of a former version does not say how its data plane is.
	bool up = (v.dataplane == PROCESS_UP
			  || (c->remote_options.host && v.dataplane == PROCESS_UNKNOWN))
		  && v.controlplane == PROCESS_UP && v.control;
	view_free(&v);
	return up ? CTL_OK : CTL_FAILED;
}
