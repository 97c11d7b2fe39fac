// SPDX-License-Identifier: BSD-3-Clause
// What `status` and `stats` show: the statistics, the control plane's reply, and lines about both.

#include "view.h"

#include "ctl.h"
#include "json_doc.h"
#include "say.h"
#include "stats_out.h"
#include "table_cell.h"
#include "terminal/term_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/stats_read.h>
#include <weir/text.h>

// Reads the statistics from the control API. False: there are no statistics; `why` says why. Sets
// `*state` in either case.
static bool stats_call(const struct ctl *c, enum process_state *state, struct stats_copy *out,
	char why[SHM_WHY_MAX])
{
	char text[HTTP_WHY_MAX];
	struct json_doc *doc = NULL;
	bool has_stats = false;
	*state = PROCESS_UNKNOWN;
	if (http_call(c, false, "/dataplane", NULL, HTTP_SHORT_MS, &doc, text) == HTTP_OK)
		has_stats = stats_remote(json_doc_root(doc), state, out, why);
	else
		snprintf(why, SHM_WHY_MAX, "%.255s", text);
	json_doc_free(doc);
	return has_stats;
}

bool view_stats(const struct ctl *c, bool asks, enum process_state *state, struct stats_copy *out,
	char why[SHM_WHY_MAX])
{
	char asked[SHM_WHY_MAX];
	const int rc = stats_read(&c->paths, out, why);
	if (rc == -EACCES && asks && stats_call(c, state, out, asked))
		return true;
	*state = dataplane_state(&c->paths, rc == 0 ? out : NULL);
	return rc == 0;
}

// Prints a failure and the time to the next try; 0 is now.
static void failure_print(const struct json_node *n)
{
	if (say_if(n, "why", " ({why}; next try ")
		&& !say_if(n, "retry_in_ms", "in {retry_in_ms:t})"))
		printf("now)");
}

static void clock_print(const struct json_node *n)
{
	say_if(n, "clock_ahead_s",
		", the clock is {clock_ahead_s:s} ahead of the newest rows: deletes nothing for "
		"its "
		"age");
}

// Prints the limits of a table that boxes share: the widest apply.
static void limits_print(const struct json_node *limits)
{
	say_if(limits, "same_name", ", ANOTHER BOX HAS THE SAME NAME (query_log.box)");
	if (json_count(limits, "boxes") < 2)
		return;
	say(limits, ", {boxes:n} boxes share the table: kept for {hours:n} hours");
	say_if(limits, "hours_of_box", " as box {hours_of_box} asks");
}

void view_print_store(const struct json_node *store)
{
	if (!say_if(store, "state",
		    "query store     {state}, {bytes:b} in {files:n} files of at most "
		    "{max_bytes:b}"))
		return;
	if (json_count(store, "keeps_one_in") > 1)
		say(store, ", keeps one row in {keeps_one_in:n}");
	clock_print(store);
	failure_print(store);
	printf("\n");
}

// Prints what each sink lost, and what the kill of a control plane lost.
void view_print_log(const struct json_node *log)
{
	const struct json_node *sinks = json_get(log, "sinks");
	for (size_t i = 0; i < json_length(sinks); i++) {
		const struct json_node *n = json_at(sinks, i);
		say_if(n, "lost_rows",
			"query log       {name} LOST {lost_rows:n} rows ({lost_weight:n} "
			"queries)\n");
		say_if(n, "lost_by_kill_rows",
			"query log       {name} lost up to {lost_by_kill_rows:n} rows "
			"({lost_by_kill_weight:n} queries) when the previous control plane was "
			"killed\n");
	}
}

void view_print_clickhouse(const struct json_node *n)
{
	if (!say_if(n, "state",
		    "clickhouse      {state}, {rows:n} rows sent, {spool_bytes:b} in "
		    "{spool_files:n} files wait on disk"))
		return;
	say_if(n, "held_rows", ", {held_rows:n} rows in memory");
	// The URL in use, if there are several; then rows that two servers may have.
	if (json_count(n, "urls") > 1)
		say(n, ", at {url} ({url_number:n} of {urls:n})");
	say_if(n, "uncertain_rows",
		", possible overcount: {uncertain_rows:n} rows ({uncertain_weight:n} queries)");
	say_if(n, "aside_files", ", {aside_files:n} unreadable files kept aside");
	say_if(n, "unspooled_halves", ", {unspooled_halves:n} half files not written to disk");
	say_if(n, "waits_for_disk", ", cannot write to the spool");
	say_if(n, "behind", ", slower than rows arrive");
	clock_print(n);
	limits_print(json_get(n, "table_limits"));
	say_if(n, "tidy_why", ", could not drop expired partitions: {tidy_why}");
	failure_print(n);
	printf("\n");
}

void view_print_fallback(const struct view *v, const struct json_node *fallback)
{
	uint64_t addresses = json_count(fallback, "addresses"),
		 bound = json_count(fallback, "bound");
	if (addresses == 0)
		return;
	printf("UDP fallback    ");
	if (bound < addresses)
		say(fallback, "only {bound:u} of {addresses:u} addresses are bound; ");
	printf("%s", v->dataplane == PROCESS_UP || v->dataplane == PROCESS_UNKNOWN
			     ? "ready"
			     : "answers now, as no data plane is up");
	say(fallback, "; {received:n} queries so far, {alone:n} of them without a data plane\n");
}

static uint64_t of_transport(
	const struct json_node *front, const char *transport, const char *object, const char *key)
{
	const struct json_node *t = json_get(front, transport);
	return json_count(object ? json_get(t, object) : t, key);
}

static void front_row(
	struct table *t, const struct json_node *front, const char *object, const char *key)
{
	uint64_t udp = of_transport(front, "udp", object, key),
		 tcp = of_transport(front, "tcp", object, key);
	if (udp == 0 && tcp == 0)
		return;
	table_cell(t, "%s", key);
	table_cell_count(t, udp);
	table_cell_count(t, tcp);
	table_row_end(t);
}

static bool front_is_used(const struct json_node *front)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < VERDICT_COUNT; i++)
		sum += of_transport(front, "udp", "verdicts", verdict_names[i])
		       + of_transport(front, "tcp", "verdicts", verdict_names[i]);
	return sum > 0;
}

void view_print_frontend(const struct json_node *front)
{
	static const char *const heads[] = {"on sockets", ">UDP", ">TCP", NULL};
	static const char *const keys[] = {"answers", "answers_stale", "answers_servfail",
		"answers_blocked", "left", "lost", "truncated"};
	if (!front_is_used(front))
		return;
	struct table *t = table_new(heads);
	for (unsigned i = 0; i < VERDICT_COUNT; i++)
		front_row(t, front, "verdicts", verdict_names[i]);
	for (unsigned i = 0; i < ARRAY_LEN(keys); i++)
		front_row(t, front, NULL, keys[i]);
	printf("\n");
	table_print(t);
}

enum { VIEW_ROWS = 6 }; // rows of a table on a terminal; another command shows all

static void remote_read(const struct ctl *c, const char *path, struct view *v)
{
	char why[HTTP_WHY_MAX];
	v->has_stats = stats_call(c, &v->dataplane, v->stats, v->why_stats);
	v->outcome = http_call(c, false, path, NULL, HTTP_SHORT_MS, &v->control, why);
	v->controlplane = v->outcome == HTTP_OK ? PROCESS_UP : PROCESS_UNKNOWN;
	if (v->outcome == HTTP_OK)
		return;
	json_doc_free(v->control);
	v->control = NULL;
	snprintf(v->why_control, sizeof(v->why_control), "%s", why);
}

static void control_read(const struct ctl *c, const char *path, struct view *v)
{
	uint64_t silent_ms = 0;
	char text[FIGURE_MAX], why[HTTP_WHY_MAX];
	v->controlplane = controlplane_state(&c->paths, &silent_ms);
	if (v->controlplane == PROCESS_DOWN)
		return;
	// A request would only take time.
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
	const enum http_outcome outcome = v->outcome =
		http_call(c, false, path, NULL, HTTP_LOOK_MS, &v->control, why);
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
		remote_read(c, path, out);
		return CTL_OK;
	}
	control_read(c, path, out);
	// Read after the control plane's status: if that reports its link as up, the statistics are
	// not from the time of an earlier control plane.
	out->has_stats = view_stats(
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

// Prints one line if both processes are of one build, as they are except during an upgrade.
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
