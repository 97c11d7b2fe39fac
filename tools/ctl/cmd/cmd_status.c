// SPDX-License-Identifier: BSD-3-Clause
// The state of the box (`weirctl status`), whether it should get queries (`ready`), and
// recent errors (`errors`).

#include "lib/http_get.h"
#include "lib/say.h"
#include "lib/show.h"
#include "lib/table_cell.h"
#include "lib/view.h"
#include "terminal/term_text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <weir/build.h>

// Each problem begins with its severity; the line after it is the advice.
struct problems {
	bool has_heading;
};

static void heading_print(struct problems *p, const char *text)
{
	if (!p->has_heading)
		printf("%sPROBLEMS%s%s\n", term_color(TERM_WRONG), term_color(TERM_PLAIN), text);
	p->has_heading = true;
}

static void problem(struct problems *p, bool is_so, const struct json_node *n, const char *text)
{
	if (!is_so)
		return;
	heading_print(p, "");
	say(n, text);
}

static void problem_reasons_print(struct problems *p, const struct ctl *c)
{
	const struct http_param params[] = {{"for", "human"}, {NULL, NULL}};
	char why[HTTP_WHY_MAX];
	struct json_doc *doc = NULL;
	if (http_call(c, false, "/ready", params, HTTP_SHORT_MS, &doc, why) != HTTP_OK && !doc)
		return; // the previous call has printed the error
	const struct json_node *reasons = json_get(json_doc_root(doc), "reasons");
	if (json_length(reasons))
		heading_print(p, "        since when: weirctl ready --for human");
	say_each(reasons, "  {severity}: {text}\n    {advice}\n");
	json_doc_free(doc);
}

// Prints servers that are down if another is up. If all are down, a reason of /ready says so.
static void servers_print(struct problems *p, const struct json_node *list)
{
	const size_t count = json_length(list);
	size_t up = 0, tls = 0, tls_up = 0;
	for (size_t i = 0; i < count; i++) {
		const struct json_node *row = json_at(list, i);
		const bool is_tls = strstr(json_text(row, "address"), "://") != NULL,
			   is_up = json_flag(row, "up");
		up += is_up;
		tls += is_tls;
		tls_up += is_tls && is_up;
	}
	if (up == 0 || up == count)
		return;
	heading_print(p, "");
	printf("  warning: %zu of %zu upstreams %s down\n"
	       "    See why with weirctl upstreams; try one: weirctl upstream test NAME.\n",
		count - up, count, count - up == 1 ? "is" : "are");
	if (tls > 0 && tls_up == 0)
		printf("  warning: no server over TLS answers: queries go out in clear text\n"
		       "    See why with weirctl upstreams; upstreams.strict forbids clear "
		       "text.\n");
}

static void files_print(struct problems *p, const struct json_node *n)
{
	const bool is_bad = *json_text(n, "disk_error");
	problem(p, is_bad, n,
		"  warning: the file on disk cannot be used, version {version:u} stays in force: "
		"{disk_error}\n"
		"    Correct it (weirctl config check), then weirctl config apply.\n");
	problem(p, !is_bad && json_flag(n, "differs"), n,
		"  warning: the file on disk differs from version {version:u}, which is in force\n"
		"    See the edit with weirctl config diff, and correct it if it was rolled back;\n"
		"    then weirctl config apply.\n");
	problem(p, *json_text(n, "skipped"), n,
		"  warning: a newer version was not used at the start: {skipped}\n"
		"    See weirctl config history, then weirctl config apply.\n");
}

// Prints the head of `weirctl status`: problems that need an operator, each with advice. They are
// the reasons of /ready (docs/reference/reasons.md), and those that /ready lacks: some servers are
// down, a file on disk is not in force, workers hang, bounds were met. `root`: the reply of
// /status.
static void problems_print(const struct ctl *c, const struct json_node *root)
{
	const struct json_node *generations = json_get(root, "generations");
	const struct json_node *bounds = json_get(root, "met_bounds");
	struct problems p = {0};
	problem_reasons_print(&p, c);
	problem(&p, json_count(generations, "workers_evicted"), generations,
		"  warning: workers that hang: {workers_evicted:u}; clients of their queues get no "
		"answers\n"
		"    Restart the data plane with systemctl restart weir-dataplane.\n");
	servers_print(&p, json_get(root, "upstreams"));
	files_print(&p, json_get(root, "config_version"));
	for (size_t i = 0; i < json_length(bounds); i++)
		problem(&p, true, json_at(bounds, i),
			"  info: {who}: {bound}, refused {refused:n} times in the last minutes\n"
			"    If it is no attack, see limits.unlimited_zones and "
			"limits.unlimited_clients.\n");
}

enum { RULES_LAG_SHOWN_MS = 1000 };

// The generation that the workers use, or "-" if the data plane's statistics cannot be read.
static void activated_cell(struct table *t, const struct view *v, uint64_t generation)
{
	if (v->has_stats)
		table_cell_count(t, generation);
	else
		table_cell(t, "-");
}

// Whether the workers use the published generations.
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
		"  PAUSED for everyone, {pause_left_s:s} left (weirctl resume)\n");
	show_texts(json_get(b, "blocked_groups"), "  BLOCKED all the same, by a schedule: group ");
	say_each(json_get(b, "paused_groups"),
		"  PAUSED for group {group}, {pause_left_s:s} left\n");
	say_if(b, "held", "  HELD: the rules of a rollback, until weirctl blocklist reload\n");
}

// Prints which sets of servers do not answer, and what clients get meanwhile.
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
	const struct json_node *readiness = json_get(root, "readiness");
	const struct json_node *drain = json_get(readiness, "drain");
	if (json_flag(readiness, "drained"))
		printf("DRAINED         /ready is 503 (weirctl undrain)\n");
	else if (strcmp(json_text(drain, "state"), "draining") == 0)
		say(drain, "DRAINING        /ready is 503, {connections:n} connections left "
			   "(weirctl undrain)\n");
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

static void clock_print(const struct json_node *n)
{
	if (json_count(n, "grace_left_ms"))
		say(n, "THE CLOCK IS BEHIND: dates of signatures and certificates are not checked "
		       "for up to {grace_left_ms:t}\n");
	else if (json_flag(n, "behind"))
		printf("THE CLOCK IS BEHIND: signatures and certificates are checked by it\n");
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
	clock_print(json_get(root, "clock"));
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
	// A terminal shows generations only if they differ, so that the state fits one screen.
	if (term_columns() == 0 || !is_activated(v, json_get(root, "generations")))
		generations_print(v);
	lags_print(json_get(root, "generations"));
	view_print_groups(v, json_get(root, "groups"));
	upstreams_note(root);
	view_print_upstreams(json_get(root, "upstreams"));
	view_print_hosts(json_get(root, "hosts"));
}

static int cmd_status(struct ctl *c)
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
			problems_print(c, json_doc_root(v.control));
			control_print(&v);
		}
	}
	// A remote box of an older version does not report the state of its data plane.
	bool up = (v.dataplane == PROCESS_UP
			  || (c->remote_options.host && v.dataplane == PROCESS_UNKNOWN))
		  && v.controlplane == PROCESS_UP && v.control;
	view_free(&v);
	return up ? CTL_OK : CTL_FAILED;
}

static const char *time_text(const struct json_node *n, const char *key, char out[CELL_TIME_MAX])
{
	return cell_time_text(json_signed(n, key) / 1000, "-", out);
}

static void when_cell(struct table *t, const struct json_node *n, const char *key)
{
	char when[CELL_TIME_MAX];
	table_cell(t, "%s", time_text(n, key, when));
}

static void reason_print(const struct json_node *n)
{
	char when[CELL_TIME_MAX];
	say(n, "{severity}: {text}\n    ");
	say(n, *json_text(n, "about") ? "{id} {about}, since " : "{id}, since ");
	printf("%s", time_text(n, "begin_unix_ms", when));
	if (json_get(n, "end_unix_ms"))
		printf(", until %s", time_text(n, "end_unix_ms", when));
	printf("\n");
	if (!json_get(n, "end_unix_ms"))
		say_if(n, "advice", "    {advice}\n");
}

// Prints each reason with its begin and advice, and recently ended alarms.
static void reasons_print(const struct json_node *root)
{
	const struct json_node *reasons = json_get(root, "reasons"),
			       *ended = json_get(root, "ended");
	const struct json_node *hold = json_get(root, "anycast");
	for (size_t i = 0; i < json_length(reasons); i++)
		reason_print(json_at(reasons, i));
	if (json_length(ended))
		printf("over:\n");
	for (size_t i = 0; i < json_length(ended); i++)
		reason_print(json_at(ended, i));
	if (json_flag(hold, "announced"))
		printf("anycast: announced\n");
	else
		say(hold, "anycast: withdrawn, for {back_in_ms:t} more of answers\n");
}

static void ready_print(const struct json_node *root, bool is_ready)
{
	printf("%s\n", is_ready ? "ready" : json_flag(root, "ready") ? "degraded" : "not ready");
	if (json_get(root, "ended")) {
		reasons_print(root);
	} else if (root) {
		show_texts(json_get(root, "why"), "  ");
		show_texts(json_get(root, "degraded"), "  but: ");
	}
}

// A reply of 503 has the document, too, with the reasons.
static int cmd_ready(struct ctl *c)
{
	char why[HTTP_WHY_MAX];
	struct json_doc *doc = NULL;
	const struct http_param params[] = {
		{"strict", c->strict ? "1" : NULL}, {"for", c->purpose}, {NULL, NULL}};
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	enum http_outcome outcome = http_call(c, false, "/ready", params, HTTP_SHORT_MS, &doc, why);
	const struct json_node *root = json_doc_root(doc);
	const bool is_reply = json_get(root, "ready"),
		   is_ready = outcome == HTTP_OK && json_flag(root, "ready");
	if (c->json && doc)
		json_doc_print(doc);
	else if (!c->json && (is_reply || !doc))
		ready_print(root, is_ready);
	if (outcome != HTTP_OK && !is_reply)
		http_fail(c, outcome, why);
	json_doc_free(doc);
	return is_ready ? CTL_OK : CTL_FAILED;
}

static void errors_print(const struct json_node *root)
{
	static const struct cell_column columns[] = {{"id", "id", cell_text},
		{"process", "process", cell_text}, {">times", "count", cell_count},
		{"last", "last_unix_ms", when_cell}, {"text", "text", cell_text}};
	const struct json_node *list = json_get(root, "errors");
	if (json_length(list) == 0)
		printf("no errors or warnings since the start of both processes\n");
	else
		cell_rows_print(list, columns, ARRAY_LEN(columns));
}

static int cmd_errors(struct ctl *c)
{
	return show_call(c, false, "/errors", NULL, HTTP_SHORT_MS, errors_print);
}

static int cmd_version(struct ctl *)
{
	printf("weirctl %s\n", build_here.version);
	return CTL_OK;
}

CTL_COMMANDS = {
	{"status", NULL, 0, 0, 0, cmd_status, "",
		"Show the state of both processes. Exit status 1 unless both are up."},
	{"version", NULL, 0, 0, 0, cmd_version, "",
		"Print the version, as --version; weirctl status has those that run."},
	{"ready", NULL, 0, 0, CTL_OPT_STRICT | CTL_OPT_FOR, cmd_ready,
		"[--strict] [--for balancer|anycast|human]",
		"Check that this box answers clients. Exit status 1 and the reasons if not; "
		"--strict: also if anything is degraded; --for anycast: with a hold-down; --for "
		"human: with since when, and what to do."},
	{"errors", NULL, 0, 0, 0, cmd_errors, "",
		"List errors and warnings of both processes by kind, newest first, with their "
		"ids."},
};
