// SPDX-License-Identifier: BSD-3-Clause
// Clients of the query store, and the sources of their names; groups of clients, the settings that
// apply to them now, and services that can be blocked by name.

#include "lib/log_page.h"
#include "lib/say.h"
#include "lib/show.h"
#include "lib/table_cell.h"
#include "terminal/term_text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static void or_dash_cell(struct table *t, const struct json_node *n, const char *key)
{
	const char *text = json_text(n, key);
	table_cell(t, "%s", *text ? text : "-");
}

static void names_print(const struct json_node *root, const char *key, const char *title)
{
	const struct json_node *items = json_get(json_get(root, key), "items");
	const struct cell_column columns[] = {
		{">queries", "queries", cell_count}, {title, "text", cell_text}};
	if (json_length(items) == 0)
		return;
	printf("\n");
	cell_rows_print(items, columns, ARRAY_LEN(columns));
}

// `until`: the clients of a span that ends then.
static void span_print(const struct json_node *root, const char *until)
{
	static const struct cell_column columns[] = {{"name", "client_name", or_dash_cell},
		{"from", "name_from", or_dash_cell}, {"address", "address", cell_text},
		{"MAC", "mac", or_dash_cell}, {">queries", "queries", cell_count},
		{">blocked", "blocked", cell_count}, {"first seen", "first_unix_s", cell_time},
		{"last seen", "last_unix_s", cell_time}};
	const struct json_node *list = json_get(root, "clients");
	char covered[FIGURE_MAX], unknown[512];
	if (*json_text(root, "unknown_client"))
		printf("%s\n",
			term_text(json_text(root, "unknown_client"), unknown, sizeof(unknown)));
	printf("%zu of %llu clients of the %s%s%s\n", json_length(list),
		(unsigned long long)json_count(root, "client_count"), *until ? "" : "last ",
		figure_duration(json_count(root, "covered_s") * 1000, covered), until);
	if (!json_flag(root, "complete"))
		printf("%s\n", LOG_PAGE_TIME_OVER);
	log_page_unreadable(root);
	cell_rows_print(list, columns, ARRAY_LEN(columns));
	names_print(root, "names", "names");
	names_print(root, "blocked", "blocked names");
	names_print(root, "lists", "lists that blocked");
}

static void clients_print(const struct json_node *root)
{
	span_print(root, "");
}

static void past_print(const struct json_node *root)
{
	span_print(root, " until then");
}

static int cmd_clients(struct ctl *c)
{
	struct log_span span;
	if (!log_page_span(c, &span))
		return CTL_USAGE;
	const struct http_param params[] = {{"limit", c->limit ? c->limit : "50"},
		{"seconds", span.seconds}, {"until", span.until}, {"client", c->operand},
		{NULL, NULL}};
	return show_call(c, false, "/clients", params, HTTP_FLUSH_MS,
		span.until ? past_print : clients_print);
}

static void file_print(const struct json_node *f)
{
	char path[300], why[200];
	term_text(json_text(f, "file"), path, sizeof(path));
	if (*json_text(f, "why"))
		printf("%s: %s\n", path, term_text(json_text(f, "why"), why, sizeof(why)));
	else
		printf("%s: %llu names, %llu lines not understood\n", path,
			(unsigned long long)json_count(f, "names"),
			(unsigned long long)json_count(f, "bad_lines"));
}

static void sources_print(const struct json_node *root)
{
	const struct json_node *files = json_get(root, "files");
	say(root, "names of clients: {hosts:n} of hosts files, {lease:n} of leases, {ptr:n} of "
		  "PTR\n");
	say(root, "PTR: {ptr_servers:n} servers; {ptr_asked:n} asked, {ptr_answered:n} answered, "
		  "{ptr_failed:n} failed, {ptr_refused:n} not asked\n");
	if (*json_text(root, "domain")) {
		say(root, "leases below {domain}: {lease_answered:n} answered, {lease_conflicts:n} "
			  "with the name of another, {lease_refused:n} refused\n");
		say(root, "PTR below {domain}: {router_answered:n} answered, {router_conflicts:n} "
			  "with the name of another, {router_refused:n} refused\n");
	}
	for (size_t i = 0; i < json_length(files); i++)
		file_print(json_at(files, i));
}

static int cmd_client_names(struct ctl *c)
{
	return show_call(c, false, "/clients/names", NULL, HTTP_SHORT_MS, sources_print);
}

enum { TEXT_MAX = 256 };

// A moment within a week: day and minute of local time.
static void moment_cell(struct table *t, const struct json_node *n, const char *key)
{
	char text[32] = "-";
	time_t at = (time_t)json_count(n, key);
	struct tm tm;
	if (at && localtime_r(&at, &tm))
		strftime(text, sizeof(text), "%a %H:%M", &tm);
	table_cell(t, "%s", text);
}

static void safe_cell(struct table *t, const struct json_node *g, const char *key)
{
	char text[TEXT_MAX] = "";
	size_t n = 0;
	for (unsigned i = 0; i < SAFE_ENGINE_COUNT; i++) {
		const char *level = json_text(json_get(g, key), safe_engine_word(i));
		if (*level && n < sizeof(text))
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s%s", n ? " " : "",
				safe_engine_word(i),
				strcmp(level, "moderate") == 0 ? "(moderate)" : "");
	}
	table_cell(t, "%s", n ? text : "-");
}

// The time that a group's pause has left, and the names of its active schedules.
static void now_cell(struct table *t, const struct json_node *g, const char *key)
{
	const struct json_node *schedules = json_get(g, key);
	char text[TEXT_MAX] = "", left[FIGURE_MAX];
	size_t n = 0;
	if (json_count(g, "pause_left_s"))
		n += (size_t)snprintf(text, sizeof(text), "paused for %s",
			figure_duration(1000 * json_count(g, "pause_left_s"), left));
	for (size_t i = 0; i < json_length(schedules) && n < sizeof(text); i++) {
		const struct json_node *s = json_at(schedules, i);
		if (json_flag(s, "active"))
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", n ? ", " : "",
				json_text(s, "name"));
	}
	table_cell(t, "%s", n ? text : "-");
}

static void block_cell(struct table *t, const struct json_node *g, const char *key)
{
	table_cell(t, "%s", json_flag(g, "blocking") ? json_text(json_get(g, key), "mode") : "-");
}

static void groups_print(const struct json_node *groups)
{
	static const struct cell_column columns[] = {{"group", "name", cell_text},
		{">prefixes", "prefixes", cell_count}, {">MACs", "macs", cell_count},
		{">VLANs", "vlan_count", cell_count}, {">names", "client_name_count", cell_count},
		{"lists", "lists", cell_group_lists}, {">allow", "allow", cell_count},
		{">deny", "deny", cell_count}, {"services", "services", cell_items},
		{"safe search", "safe_search", safe_cell}, {"blocked gets", "block", block_cell},
		{"now", "schedules", now_cell}, {"next change", "next_change_unix_s", moment_cell}};
	cell_rows_print(groups, columns, ARRAY_LEN(columns));
}

// What a schedule blocks, such as "lists adult; services tiktok; 3 domains".
static void effect_cell(struct table *t, const struct json_node *s, const char *)
{
	static const char *const kinds[] = {"lists", "services"};
	char text[TEXT_MAX] = "";
	size_t n = 0;
	if (json_flag(s, "pause"))
		n += (size_t)snprintf(text, sizeof(text), "pause; ");
	if (json_flag(s, "block_all"))
		n += (size_t)snprintf(text + n, sizeof(text) - n, "block all; ");
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		const struct json_node *list = json_get(s, kinds[k]);
		for (size_t i = 0; i < json_length(list) && n < sizeof(text); i++)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s%s",
				i ? " " : kinds[k], i ? "" : " ", json_item_text(list, i));
		if (json_length(list) && n < sizeof(text))
			n += (size_t)snprintf(text + n, sizeof(text) - n, "; ");
	}
	if (json_count(s, "domains") && n < sizeof(text))
		n += (size_t)snprintf(
			text + n, sizeof(text) - n, "%llu domains; ", json_count(s, "domains"));
	size_t end = strlen(text);
	if (end >= 2 && strcmp(text + end - 2, "; ") == 0)
		text[end - 2] = '\0';
	table_cell(t, "%s", text);
}

static void days_cell(struct table *t, const struct json_node *s, const char *key)
{
	if (json_length(json_get(s, key)) == 7)
		table_cell(t, "daily");
	else
		cell_items(t, s, key);
}

// The end of its window, with the time zone that it has.
static void end_cell(struct table *t, const struct json_node *s, const char *key)
{
	const char *zone = json_text(s, "time_zone");
	table_cell(t, "%s%s%s", json_text(s, key), zone[0] ? " " : "", zone);
}

static void active_cell(struct table *t, const struct json_node *s, const char *key)
{
	table_cell(t, json_flag(s, key) ? "on" : "-");
}

static void schedules_print(const struct json_node *groups)
{
	static const char *const heads[] = {
		"group", "schedule", "days", "from", "to", "brings", "now", "changes", NULL};
	static const struct cell_column columns[] = {{"", "name", cell_text},
		{"", "days", days_cell}, {"", "from", cell_text}, {"", "to", end_cell},
		{"", "", effect_cell}, {"", "active", active_cell},
		{"", "changes_unix_s", moment_cell}};
	struct table *t = table_new(heads);
	for (size_t i = 0; i < json_length(groups); i++) {
		const struct json_node *g = json_at(groups, i), *list = json_get(g, "schedules");
		for (size_t k = 0; k < json_length(list); k++) {
			cell_text(t, g, "name");
			cell_row(t, json_at(list, k), columns, ARRAY_LEN(columns));
			table_row_end(t);
		}
	}
	printf("\n");
	table_print(t);
}

static void all_print(const struct json_node *root)
{
	const struct json_node *groups = json_get(root, "groups");
	bool any = false;
	groups_print(groups);
	for (size_t i = 0; i < json_length(groups); i++)
		any |= json_length(json_get(json_at(groups, i), "schedules")) > 0;
	if (any)
		schedules_print(groups);
}

// The name of a client, of those that weir has found; "": it has found none.
static const char *member_name(const struct json_node *g, const char *client)
{
	const struct json_node *names = json_get(g, "member_names");
	for (size_t i = 0; i < json_length(names); i++)
		if (strcmp(json_text(json_at(names, i), "client"), client) == 0)
			return json_text(json_at(names, i), "name");
	return "";
}

// Prints who is in a group, a line each.
static void members_print(const struct json_node *g)
{
	const struct json_node *clients = json_get(g, "clients"), *vlans = json_get(g, "vlans"),
			       *names = json_get(g, "client_names");
	const uint64_t counted = json_count(g, "prefixes") + json_count(g, "macs");
	char text[TEXT_MAX];
	double vlan;
	if (json_length(clients) + json_length(vlans) + json_length(names))
		printf("\nclients\n");
	for (size_t i = 0; i < json_length(clients); i++) {
		const char *client = json_item_text(clients, i), *name = member_name(g, client);
		printf("%s%s", term_text(name, text, sizeof(text)), *name ? " (" : "");
		printf("%s%s\n", term_text(client, text, sizeof(text)), *name ? ")" : "");
	}
	for (size_t i = 0; i < json_length(vlans); i++)
		if (json_number(json_at(vlans, i), &vlan))
			printf("VLAN %.0f\n", vlan);
	for (size_t i = 0; i < json_length(names); i++)
		printf("calls weir by %s\n",
			term_text(json_item_text(names, i), text, sizeof(text)));
	if (counted > json_length(clients))
		printf("and more: %llu addresses, prefixes and MAC addresses in all\n",
			(unsigned long long)counted);
}

static void one_print(const struct json_node *root)
{
	groups_print(json_get(root, "groups"));
	members_print(json_at(json_get(root, "groups"), 0));
	if (json_length(json_get(json_at(json_get(root, "groups"), 0), "schedules")))
		schedules_print(json_get(root, "groups"));
}

static void domains_cell(struct table *t, const struct json_node *s, const char *key)
{
	table_cell_count(t, json_length(json_get(s, key)));
}

static void example_cell(struct table *t, const struct json_node *s, const char *key)
{
	table_cell(t, "%s", json_item_text(json_get(s, key), 0));
}

static void services_print(const struct json_node *root)
{
	static const struct cell_column columns[] = {{"service", "name", cell_text},
		{">domains", "domains", domains_cell}, {"such as", "domains", example_cell}};
	cell_rows_print(json_get(root, "services"), columns, ARRAY_LEN(columns));
}

static int cmd_groups(struct ctl *c)
{
	const struct http_param params[] = {{"group", c->operand}, {NULL, NULL}};
	return show_call(
		c, false, "/groups", params, HTTP_SHORT_MS, c->operand ? one_print : all_print);
}

static int cmd_services(struct ctl *c)
{
	return show_call(c, false, "/services", NULL, HTTP_SHORT_MS, services_print);
}

CTL_COMMANDS = {
	{"groups", NULL, 0, 1, 0, cmd_groups, "[GROUP]",
		"List the groups of clients: their lists and services, and the schedules in "
		"force; with GROUP the clients of that one, too."},
	{"services", NULL, 0, 0, 0, cmd_services, "",
		"List the services that can be blocked by name."},
	{"clients", "names", 0, 0, 0, cmd_client_names, "",
		"Show where names of clients come from: files of hosts and leases, and PTR."},
	{"clients", NULL, 0, 1, CTL_OPT_LIMIT | CTL_OPT_SINCE | CTL_OPT_UNTIL, cmd_clients,
		"[CLIENT] [--since T] [--until T] [--limit N]",
		"List the clients since T (24h): name, address, MAC, queries, blocked, first and "
		"last seen; of one CLIENT (address or name) its names, too."},
};
