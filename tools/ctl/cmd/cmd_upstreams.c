// SPDX-License-Identifier: BSD-3-Clause
// Upstream servers: their state, how to take one out of use and back, a test query; and questions
// and jobs in progress (`pending`).

#include "lib/say.h"
#include "lib/show.h"
#include "lib/table_cell.h"
#include "lib/view.h"

#include <stdio.h>
#include <string.h>
#include <weir/config.h>
#include <weir/known.h>

static void percent_cell(struct table *t, const struct json_node *n, const char *key)
{
	table_cell(t, "%llu%%", (unsigned long long)json_count(n, key));
}

static void us_cell(struct table *t, const struct json_node *n, const char *key)
{
	uint64_t us = json_count(n, key);
	if (us)
		table_cell(t, "%.1f ms", (double)us / 1000);
	else
		table_cell(t, "-");
}

static void quantiles_cell(struct table *t, const struct json_node *n, const char *key)
{
	uint64_t p50 = json_count(n, key), p99 = json_count(n, "p99_us");
	if (p50)
		table_cell(t, "%.1f, %.1f ms", (double)p50 / 1000, (double)p99 / 1000);
	else
		table_cell(t, "-");
}

// Failed checks, and all checks.
static void checks_cell(struct table *t, const struct json_node *n, const char *key)
{
	table_cell(t, "%llu of %llu", (unsigned long long)json_count(n, "checks_failed"),
		(unsigned long long)json_count(n, key));
}

// Prints the counts that only a server over HTTPS has.
static void https_print(const struct json_node *row)
{
	const struct json_node *https = json_get(row, "https");
	if (!https)
		return;
	say(row, "{name}: ");
	say(https, json_count(https, "version") ? "HTTP/{version:n}; " : "HTTPS: ");
	if (*json_text(https, "error"))
		say(https, "the latest reply: {error}; ");
	say(https, "{replies:n} replies; failed: {failed_status:n} by status");
	if (json_count(https, "status"))
		say(https, " (the latest {status:u})");
	say(https, ", {failed_type:n} by type, {failed_body:n} by size, {failed_connection:n} "
		   "connections\n");
}

// Prints a line for each server over TLS, with the counts that the table lacks.
static void tls_print(const struct json_node *rows)
{
	for (size_t i = 0; i < json_length(rows); i++) {
		const struct json_node *row = json_at(rows, i), *tls = json_get(row, "tls");
		if (!tls)
			continue;
		say(row, "{name}: TLS: ");
		say(tls, *json_text(tls, "error") ? "no connection: {error}; " : "{about}; ");
		say(tls, "{handshakes:n} handshakes, {resumed:n} resumed; failed: "
			 "{failed_handshake:n} handshakes, {failed_certificate:n} certificates, "
			 "{failed_name:n} names, {failed_pin:n} pins\n");
		https_print(row);
	}
}

// Prints the servers that get clients' subnets.
static void subnets_print(const struct json_node *rows)
{
	for (size_t i = 0; i < json_length(rows); i++) {
		const struct json_node *row = json_at(rows, i);
		if (json_flag(row, "sends_client_subnet"))
			say(row, "{name}: gets the subnet of clients: {client_subnet_ipv4:u} bits "
				 "of "
				 "IPv4, {client_subnet_ipv6:u} bits of IPv6\n");
	}
}

static void upstreams_print(const struct json_node *root)
{
	static const struct cell_column columns[] = {{"for", "set", cell_text},
		{"upstream", "name", cell_text}, {"address", "address", cell_text},
		{"state", "state", cell_text}, {"via", "via", cell_text},
		{">share", "share_percent", percent_cell}, {">srtt", "srtt_us", us_cell},
		{">p50, p99", "p50_us", quantiles_cell}, {">sent", "sent", cell_count},
		{">answered", "answered", cell_count}, {">timeouts", "timeouts", cell_count},
		{">refused", "refused", cell_count}, {">failures", "failures", cell_count},
		{">bad", "bad_replies", cell_count}, {">failed checks", "checks", checks_cell}};

	cell_rows_print(json_get(root, "upstreams"), columns, ARRAY_LEN(columns));
	tls_print(json_get(root, "upstreams"));
	subnets_print(json_get(root, "upstreams"));
	view_print_hosts(json_get(root, "hosts"));
	say_if(root, "left_out", "and {left_out:n} more\n");
}

static int cmd_upstreams(struct ctl *c)
{
	return show_call(c, false, "/upstreams", NULL, HTTP_SHORT_MS, upstreams_print);
}

static void drain_print(const struct json_node *root)
{
	say(root, json_flag(root, "drained")
			  ? "{server} gets no more questions, in {sets:n} sets of servers\n"
			  : "{server} gets questions again, in {sets:n} sets of servers\n");
}

static int server_call(struct ctl *c, const char *path, void (*print)(const struct json_node *root))
{
	const struct http_param params[] = {{"server", c->operand}, {NULL, NULL}};
	return show_call(c, true, path, params, HTTP_FLUSH_MS, print);
}

static int cmd_upstream_drain(struct ctl *c)
{
	return server_call(c, "/upstream/drain", drain_print);
}

static int cmd_upstream_undrain(struct ctl *c)
{
	return server_call(c, "/upstream/undrain", drain_print);
}

static void tried_print(const char *transport, const struct json_node *n)
{
	printf("%s: ", transport);
	if (json_flag(n, "answered"))
		say(n, "{rcode}, {bytes:n} bytes");
	else
		printf(json_flag(n, "sent") ? "no reply" : "not sent");
	if (!json_flag(n, "answered") && *json_text(n, "why"))
		say(n, ": {why}");
	if (json_flag(n, "truncated"))
		printf(", truncated");
	if (json_flag(n, "answered"))
		printf(", %.1f ms", (double)json_count(n, "took_us") / 1000);
	printf("\n");
}

static void test_print(const struct json_node *root)
{
	const struct json_node *tls = json_get(root, "tls"), *https = json_get(root, "https");
	if (tls || https) {
		tried_print(tls ? "TLS" : "HTTPS", tls ? tls : https);
		return;
	}
	tried_print("UDP", json_get(root, "udp"));
	tried_print("TCP", json_get(root, "tcp"));
}

static void candidate_print(const struct json_node *root)
{
	say(root, "{server}, by a connection of its own:\n");
	test_print(root);
	printf("DNSSEC records: %s; AD, the server validates: %s\n",
		json_flag(root, "signed") ? "yes" : "no", json_flag(root, "ad") ? "yes" : "no");
}

static int test_show(
	struct ctl *c, struct json_doc *doc, void (*print)(const struct json_node *root))
{
	static const char *const ways[] = {"udp", "tcp", "tls", "https"};
	bool answers = false;
	for (size_t i = 0; doc && i < ARRAY_LEN(ways); i++)
		answers |= json_flag(json_get(json_doc_root(doc), ways[i]), "answered");
	const int rc = show_doc(c, doc, print);
	return rc == CTL_OK && !answers ? CTL_FAILED : rc;
}

// Tests a server that weir does not use, or each server of a public resolver.
static int candidates_test(struct ctl *c)
{
	const char *const one[] = {c->operand, NULL};
	const char *const *server = known_resolver(c->operand, false);
	int rc = CTL_OK;
	for (server = server ? server : one; *server; server++) {
		const struct http_param params[] = {{"server", *server}, {NULL, NULL}};
		struct json_doc *doc =
			http_call_or_fail(c, true, "/upstreams/test", params, HTTP_FLUSH_MS);
		if (test_show(c, doc, candidate_print) != CTL_OK)
			rc = CTL_FAILED;
	}
	return rc;
}

// Is the text a server's address, or the name of a public resolver?
static bool is_candidate(const char *text)
{
	struct socket_address a;
	return known_resolver(text, false) || strstr(text, "://")
	       || socket_address_parse(text, 53, &a) == 0;
}

// A server of weir's own comes first, whatever it is called. If weir has it and refuses the test,
// that is the result.
static int cmd_upstream_test(struct ctl *c)
{
	const struct http_param params[] = {{"server", c->operand}, {NULL, NULL}};
	char why[HTTP_WHY_MAX];
	struct json_doc *doc = NULL;
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	const enum http_outcome outcome =
		http_call(c, true, "/upstream/test", params, HTTP_FLUSH_MS, &doc, why);
	if (outcome == HTTP_OK)
		return test_show(c, doc, test_print);
	json_doc_free(doc);
	if (outcome == HTTP_MISSING && is_candidate(c->operand))
		return candidates_test(c);
	http_fail(c, outcome, why);
	return CTL_FAILED;
}

static const struct {
	const char *step, *text;
} steps[] = {
	{"l1", "Redis"},
	{"udp", "a reply"},
	{"connection", "a TCP connection"},
	{"tcp", "a reply over TCP"},
	{"late", "a late reply; all tries are used up"},
};

static const char *step_text(const char *step)
{
	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		if (strcmp(steps[i].step, step) == 0)
			return steps[i].text;
	return step;
}

// What a question waits for, such as "a reply of quad9, try 2, for 120 ms".
static void wait_cell(struct table *t, const struct json_node *q)
{
	const char *server = json_text(q, "server");
	char text[400];
	int n = snprintf(text, sizeof(text), "%s%s%.200s", step_text(json_text(q, "step")),
		*server ? " of " : "", server);
	uint64_t attempts = json_count(q, "attempts"), waited_ms = json_count(q, "waited_ms");
	if (attempts && n > 0)
		n += snprintf(text + n, sizeof(text) - (size_t)n, ", try %llu",
			(unsigned long long)attempts);
	if (waited_ms && n > 0)
		snprintf(text + n, sizeof(text) - (size_t)n, ", for %llu ms",
			(unsigned long long)waited_ms);
	table_cell(t, "%s", text);
}

static void questions_print(const struct json_node *root)
{
	static const char *const heads[] = {
		">age ms", "question", "type", ">clients", "waits for", NULL};
	const struct json_node *list = json_get(root, "questions");
	const uint64_t total = json_count(root, "questions_total");
	struct table *t = table_new(heads);

	for (size_t i = 0; i < json_length(list); i++) {
		const struct json_node *q = json_at(list, i);
		table_cell_count(t, json_count(q, "age_ms"));
		table_cell(t, "%s", json_text(q, "name"));
		table_cell(t, "%s%s", json_text(q, "type"),
			json_flag(q, "renewal") ? " (renewal)" : "");
		table_cell_count(t, json_count(q, "clients"));
		wait_cell(t, q);
		table_row_end(t);
	}
	if (json_length(list))
		table_print(t);
	if (total > json_length(list))
		printf("and %llu more\n", (unsigned long long)(total - json_length(list)));
	say(root, "{questions_total:n} questions in flight, {clients_total:n} clients wait\n");
}

static void jobs_print(const struct json_node *root)
{
	static const char *const heads[] = {">age ms", "job", "of", "waits for", NULL};
	const struct json_node *list = json_get(root, "jobs");
	struct table *t = table_new(heads);

	for (size_t i = 0; i < json_length(list); i++) {
		const struct json_node *j = json_at(list, i);
		table_cell_count(t, json_count(j, "age_ms"));
		table_cell(t, "%s", json_text(j, "kind"));
		table_cell(t, "%s", json_text(j, "what"));
		table_cell(t, "%s", json_text(j, "step"));
		table_row_end(t);
	}
	if (!json_length(list)) {
		printf("no jobs\n");
		return;
	}
	printf("\n");
	table_print(t);
}

static void pending_print(const struct json_node *root)
{
	questions_print(root);
	jobs_print(root);
	say(json_get(root, "tcp"), "tcp: {open:n} connections of {clients:n} clients, {pending:n} "
				   "questions without an answer, {buffered:b} in buffers\n");
}

static int cmd_pending(struct ctl *c)
{
	const struct http_param params[] = {{"limit", c->limit ? c->limit : "50"}, {NULL, NULL}};
	return show_call(c, false, "/pending", params, HTTP_SHORT_MS, pending_print);
}

CTL_COMMANDS = {
	{"pending", NULL, 0, 0, CTL_OPT_LIMIT, cmd_pending, "[--limit N]",
		"List questions in flight, jobs and requests, and what each waits for; the oldest "
		"first."},
	{"upstreams", NULL, 0, 0, 0, cmd_upstreams, "",
		"List the upstream servers of every set: state, share of the queries, round trips, "
		"errors."},
	{"upstream", "test", 1, 1, 0, cmd_upstream_test, "NAME|SERVER",
		"Send a server a query by UDP and one over TCP, or over TLS or HTTPS, also one "
		"that "
		"weir does not use: 9.9.9.9, tls://NAME@ADDRESS, https://NAME@ADDRESS/PATH, quad9. "
		"Exit status 1: it does not answer."},
	{"upstream", "drain", 1, 1, 0, cmd_upstream_drain, "NAME|ADDRESS",
		"Send an upstream server no more questions, until undrain or a restart."},
	{"upstream", "undrain", 1, 1, 0, cmd_upstream_undrain, "NAME|ADDRESS",
		"Send an upstream server questions again."},
};
