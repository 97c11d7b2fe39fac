// SPDX-License-Identifier: BSD-3-Clause
// Upstream servers, lists by URL, Redis and ClickHouse: what the running control plane knows of
// them, and without one what a probe shows. weir serves without any of the last three.

#include "doctor_checks.h"
#include "doctor_probe.h"
#include "lib/http_get.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/url.h>

enum { TESTS_MAX = 1 }; // of the control plane, of 4 s each at most

// The reply of the running control plane, or NULL, with a report.
static struct json_doc *control_ask(struct doctor *d, const char *path)
{
	char why[HTTP_WHY_MAX];
	struct json_doc *doc = NULL;
	if (http_call(d->c, false, path, NULL, HTTP_SHORT_MS, &doc, why) == HTTP_OK)
		return doc;
	json_doc_free(doc);
	doctor_add(d, DOCTOR_UNKNOWN, "the control plane does not say: %s", why);
	return NULL;
}

static bool is_state(const struct json_node *row, const char *state)
{
	return strcmp(json_text(row, "state"), state) == 0;
}

// Has the set of this server another one that is up?
static bool has_other(const struct json_node *rows, const struct json_node *row)
{
	bool has = false;
	for (size_t i = 0; i < json_length(rows); i++) {
		const struct json_node *other = json_at(rows, i);
		has |= other != row && strcmp(json_text(other, "set"), json_text(row, "set")) == 0
		       && (is_state(other, "up") || is_state(other, "suspect")
			       || is_state(other, "failing"));
	}
	return has;
}

// The control plane asks one that has not answered the last query, or none yet. 1: it answers, 0:
// not, -1: unknown.
static int server_test(struct doctor *d, const char *name, unsigned *tests)
{
	static const char *const ways[] = {"udp", "tcp", "tls", "https"};
	char why[HTTP_WHY_MAX];
	struct json_doc *doc = NULL;
	const struct http_param params[] = {{"server", name}, {NULL, NULL}};
	int answers = -1;
	if ((*tests)++ >= TESTS_MAX)
		return -1;
	if (http_call(d->c, true, "/upstream/test", params, HTTP_SHORT_MS, &doc, why) == HTTP_OK) {
		answers = 0;
		for (unsigned i = 0; i < ARRAY_LEN(ways); i++)
			answers |= json_flag(json_get(json_doc_root(doc), ways[i]), "answered");
	}
	json_doc_free(doc);
	return answers;
}

static void row_report(struct doctor *d, const struct json_node *rows, const struct json_node *row,
	unsigned *tests)
{
	const char *name = json_text(row, "name"), *set = json_text(row, "set");
	const char *why = json_text(json_get(row, "tls"), "error");
	if (!*why)
		why = json_text(json_get(row, "https"), "error");
	if (is_state(row, "drained")) {
		doctor_add(d, DOCTOR_WARNING, "%s (%s) is drained by an operator", name, set);
		doctor_do(d, "weirctl upstream undrain %s", SHELL_QUOTE(name));
		return;
	}
	bool is_down = is_state(row, "down") || is_state(row, "no address");
	bool has_answered = json_count(row, "answered") > 0, is_up = is_state(row, "up");
	int answers = is_down ? 0 : is_up && has_answered ? 1 : server_test(d, name, tests);
	if (answers > 0) {
		doctor_add(d, DOCTOR_OK, "%s (%s) answers", name, set);
		return;
	}
	if (answers < 0 && is_up) {
		doctor_add(d, DOCTOR_UNKNOWN, "%s (%s): weir has no answer of it yet", name, set);
		return;
	}
	doctor_add(d, answers < 0 || has_other(rows, row) ? DOCTOR_WARNING : DOCTOR_WRONG,
		"%s (%s) %s%s%s", name, set,
		answers < 0 ? "did not answer the last queries" : "does not answer",
		*why ? ": " : "", why);
	doctor_do(d, "weirctl upstream test %s", SHELL_QUOTE(name));
}

static void upstreams_of_control(struct doctor *d)
{
	unsigned tests = 0;
	struct json_doc *doc = control_ask(d, "/upstreams");
	const struct json_node *rows = json_get(json_doc_root(doc), "upstreams");
	for (size_t i = 0; i < json_length(rows); i++)
		row_report(d, rows, json_at(rows, i), &tests);
	if (doc && json_length(rows) == 0)
		doctor_add(d, DOCTOR_OK, "weir asks no servers");
	unsigned long long more = json_count(json_doc_root(doc), "left_out");
	if (more)
		doctor_add(d, DOCTOR_UNKNOWN, "servers that the list leaves out: %llu", more);
	json_doc_free(doc);
}

static void server_report(struct doctor *d, const struct doctor_probe *p, bool others)
{
	const struct config_upstream *s = p->server;
	char to[SOCKET_ADDRESS_TEXT_MAX];
	if (p->end == DOCTOR_PROBE_NOT_ASKED) {
		doctor_add(d, DOCTOR_UNKNOWN, "%s: %s", s->name, p->text);
		return;
	}
	if (p->end == DOCTOR_PROBE_ANSWERED) {
		doctor_add(d, DOCTOR_OK, "%s answers (%s)", s->name, p->text);
		return;
	}
	bool is_warning = p->end == DOCTOR_PROBE_PARTLY || others;
	doctor_add(d, is_warning ? DOCTOR_WARNING : DOCTOR_WRONG, "%s %s (%s)", s->name,
		p->end == DOCTOR_PROBE_PARTLY ? "answers in part" : "does not answer", p->text);
	ip_address_text(&s->address.ip, false, to);
	doctor_do(d, "kdig%s @%s -p %u . NS",
		s->tls.path[0] ? " +https"
		: s->tls.is_on ? " +tls"
			       : "",
		to, s->address.port);
}

struct servers {
	struct doctor_probe *probe;
	const char *ca_file;
	unsigned count, sets;
	unsigned named, left; // given by a host name; beyond the room
};

static void servers_add(struct servers *all, const struct config_upstream *server, unsigned count)
{
	unsigned set = all->sets++;
	bool has_unasked = false;
	for (unsigned i = 0; i < count; i++) {
		const struct config_upstream *s = &server[i];
		bool has_room = all->count < DOCTOR_PROBES_MAX;
		all->named += s->host[0] != '\0';
		has_unasked |= s->host[0] || !has_room;
		if (s->host[0] || s->is_recursion)
			continue;
		all->left += !has_room;
		if (!has_room)
			continue;
		all->probe[all->count++] =
			(struct doctor_probe){.kind = !s->tls.is_on    ? DOCTOR_PROBE_DNS
						      : s->tls.path[0] ? DOCTOR_PROBE_HTTPS
								       : DOCTOR_PROBE_TLS,
				.server = s,
				.set = set,
				.ca_file = all->ca_file};
	}
	for (unsigned i = 0; has_unasked && i < all->count; i++)
		all->probe[i].has_unasked |= all->probe[i].set == set;
}

static void zones_add(struct servers *all, const struct config_forward_zone *zones, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		servers_add(all, zones[i].servers, zones[i].server_count);
}

// The servers of everyone are set 0. None of them has a route, and there is no recursion.
static void route_report(struct doctor *d, const struct servers *all)
{
	unsigned count = 0;
	for (; count < all->count && all->probe[count].set == 0; count++)
		if (all->probe[count].end != DOCTOR_PROBE_NOT_ASKED
			|| all->probe[count].has_unasked)
			return;
	if (count == 0 || d->config->upstreams.mode != UPSTREAM_FORWARD)
		return;
	doctor_add(d, DOCTOR_WRONG, "none of the upstream servers could be asked");
	doctor_do(d, "ip route; ip -6 route");
}

static void servers_report(struct doctor *d, const struct servers *all)
{
	for (unsigned i = 0; i < all->count; i++) {
		// They answer, or may: nobody asked them.
		bool others = all->probe[i].has_unasked;
		for (unsigned o = 0; o < all->count; o++)
			others |= o != i && all->probe[o].set == all->probe[i].set
				  && all->probe[o].end != DOCTOR_PROBE_FAILED;
		server_report(d, &all->probe[i], others);
	}
	route_report(d, all);
	if (all->named)
		doctor_add(d, DOCTOR_UNKNOWN,
			"servers with a host name, which the control plane resolves: %u",
			all->named);
	if (all->left)
		doctor_add(d, DOCTOR_UNKNOWN, "servers beyond the first %d: %u", DOCTOR_PROBES_MAX,
			all->left);
	if (all->count + all->named == 0)
		doctor_add(d, DOCTOR_OK, "weir asks no servers of the configuration");
}

static void upstreams_by_probes(struct doctor *d)
{
	const struct config *c = d->config;
	struct servers all = {.probe = calloc(DOCTOR_PROBES_MAX, sizeof(*all.probe)),
		.ca_file = c->upstreams.ca_file};
	if (!all.probe) {
		doctor_add(d, DOCTOR_UNKNOWN, "out of memory");
		return;
	}
	servers_add(&all, c->upstreams.server, c->upstreams.count);
	zones_add(&all, c->forwards, c->forward_count);
	for (unsigned i = 0; i < c->group_count; i++) {
		servers_add(&all, c->groups[i].upstreams, c->groups[i].upstream_count);
		zones_add(&all, c->groups[i].forwards, c->groups[i].forward_count);
	}
	doctor_probe_all(all.probe, all.count);
	servers_report(d, &all);
	free(all.probe);
}

void doctor_check_upstreams(struct doctor *d)
{
	if (doctor_status(d))
		upstreams_of_control(d);
	else if (!doctor_lacks_config(d))
		upstreams_by_probes(d);
}

static void list_of_control(struct doctor *d, const struct json_node *l)
{
	const char *name = json_text(l, "name"), *why = json_text(l, "fetch_error");
	if (!*why)
		why = json_text(l, "error");
	if (json_flag(l, "failing")) {
		doctor_add(d, DOCTOR_WARNING, "list \"%s\" is not updated: %s", name, why);
		doctor_do(d, "weirctl blocklist reload # weirctl blocklist status says more");
	} else if (*json_text(l, "url") && !json_count(l, "last_good_unix_s")) {
		doctor_add(d, DOCTOR_UNKNOWN, "list \"%s\" has not been fetched yet", name);
	} else {
		doctor_add(
			d, DOCTOR_OK, "names of list \"%s\": %llu", name, json_count(l, "names"));
	}
}

static void lists_of_control(struct doctor *d)
{
	char why[HTTP_WHY_MAX];
	struct json_doc *doc = NULL;
	if (http_call(d->c, false, "/blocklist", NULL, HTTP_SHORT_MS, &doc, why) != HTTP_OK) {
		doctor_add(d, DOCTOR_UNKNOWN, "the control plane does not say: %s", why);
		json_doc_free(doc);
		return;
	}
	const struct json_node *lists = json_get(json_doc_root(doc), "lists");
	for (size_t i = 0; i < json_length(lists); i++)
		list_of_control(d, json_at(lists, i));
	if (json_length(lists) == 0)
		doctor_add(d, DOCTOR_OK, "no list is configured");
	json_doc_free(doc);
}

static void list_report(struct doctor *d, const char *name, const struct doctor_probe *p)
{
	char shown[CONFIG_URL_MAX];
	if (p->end == DOCTOR_PROBE_ANSWERED) {
		doctor_add(d, DOCTOR_OK, "list \"%s\" can be fetched", name);
	} else if (p->end == DOCTOR_PROBE_NOT_ASKED) {
		doctor_add(d, DOCTOR_UNKNOWN, "list \"%s\": %s", name, p->text);
	} else {
		url_shown(p->url, shown, sizeof(shown));
		doctor_add(d, DOCTOR_WARNING, "list \"%s\" cannot be fetched: %s", name, p->text);
		doctor_do(d, "curl -sSI %s", SHELL_QUOTE(shown));
	}
}

static void lists_by_probes(struct doctor *d)
{
	const struct config_blocking *b = &d->config->blocking;
	struct doctor_probe *probe = calloc(DOCTOR_PROBES_MAX, sizeof(*probe));
	const char *name[DOCTOR_PROBES_MAX];
	unsigned count = 0, transfers = 0, more = 0;
	struct url url;
	if (!probe) {
		doctor_add(d, DOCTOR_UNKNOWN, "out of memory");
		return;
	}
	for (unsigned i = 0; i < b->list_count; i++) {
		const struct config_list *l = &b->lists[i];
		bool is_web = l->url && url_parse(l->url, &url) == 0;
		transfers += l->url && !is_web;
		more += is_web && count == DOCTOR_PROBES_MAX;
		if (!is_web || count == DOCTOR_PROBES_MAX)
			continue;
		name[count] = l->name;
		probe[count++] = (struct doctor_probe){.kind = DOCTOR_PROBE_URL, .url = l->url};
	}
	doctor_probe_all(probe, count);
	for (unsigned i = 0; i < count; i++)
		list_report(d, name[i], &probe[i]);
	if (transfers)
		doctor_add(d, DOCTOR_UNKNOWN,
			"zone transfers, which the control plane makes alone: %u", transfers);
	if (more)
		doctor_add(d, DOCTOR_UNKNOWN, "lists beyond the first %d: %u", DOCTOR_PROBES_MAX,
			more);
	if (count + transfers == 0)
		doctor_add(d, DOCTOR_OK, "no list is fetched from the network");
	free(probe);
}

void doctor_check_lists(struct doctor *d)
{
	if (doctor_status(d))
		lists_of_control(d);
	else if (!doctor_lacks_config(d))
		lists_by_probes(d);
}

static void redis_of_control(struct doctor *d, const struct json_node *redis)
{
	const char *state = json_text(redis, "state"), *error = json_text(redis, "error");
	if (strcmp(state, "up") == 0) {
		doctor_add(d, DOCTOR_OK, "up");
		return;
	}
	doctor_add(d, DOCTOR_WARNING, "%s%s%s", state, *error ? ": " : "", error);
	doctor_do(d, "weirctl cache stats; journalctl -u redis-server -n 50");
}

void doctor_check_redis(struct doctor *d)
{
	const struct json_node *redis = json_get(doctor_status(d), "redis");
	struct doctor_probe probe[CONFIG_REDIS_ADDRESSES_MAX] = {0};
	if (doctor_lacks_config(d))
		return;
	const struct config_redis *r = &d->config->redis;
	if (r->mode == REDIS_MODE_OFF) {
		doctor_add(d, DOCTOR_OK, "not configured");
		return;
	}
	if (redis) {
		redis_of_control(d, redis);
		return;
	}
	bool is_sentinel = r->mode == REDIS_MODE_SENTINEL;
	for (unsigned i = 0; i < r->address_count; i++)
		probe[i] = (struct doctor_probe){.kind = DOCTOR_PROBE_REDIS,
			.address = r->addresses[i],
			.user = is_sentinel ? "" : r->username,
			.password = is_sentinel ? r->sentinel_password : r->password};
	doctor_probe_all(probe, r->address_count);
	for (unsigned i = 0; i < r->address_count; i++) {
		char text[SOCKET_ADDRESS_TEXT_MAX], host[SOCKET_ADDRESS_TEXT_MAX];
		socket_address_text(&r->addresses[i], text);
		if (probe[i].end == DOCTOR_PROBE_ANSWERED) {
			doctor_add(d, DOCTOR_OK, "%s answers", text);
			continue;
		}
		if (probe[i].end == DOCTOR_PROBE_NOT_ASKED) {
			doctor_add(d, DOCTOR_UNKNOWN, "%s: %s", text, probe[i].text);
			continue;
		}
		doctor_add(d, DOCTOR_WARNING, "%s: %s", text, probe[i].text);
		doctor_do(d, "redis-cli -h %s -p %u ping",
			ip_address_text(&r->addresses[i].ip, false, host), r->addresses[i].port);
	}
}

static void clickhouse_of_control(struct doctor *d, const struct json_node *n)
{
	const char *state = json_text(n, "state"), *why = json_text(n, "why");
	if (strcmp(state, "up") == 0) {
		doctor_add(d, DOCTOR_OK, "up (%s)", json_text(n, "url"));
	} else if (strcmp(state, "starting") == 0) {
		doctor_add(d, DOCTOR_UNKNOWN, "the control plane has written no rows yet");
	} else {
		doctor_add(d, DOCTOR_WARNING, "%s: %s", state, why);
		doctor_do(d, "weirctl log status");
	}
}

void doctor_check_clickhouse(struct doctor *d)
{
	const struct json_node *n = json_get(doctor_status(d), "clickhouse");
	struct doctor_probe probe[CONFIG_CLICKHOUSE_URLS_MAX] = {0};
	char ping[CONFIG_CLICKHOUSE_URLS_MAX][CONFIG_URL_MAX + 8];
	if (doctor_lacks_config(d))
		return;
	const struct config_query_log_clickhouse *c = &d->config->query_log.clickhouse;
	if (c->url_count == 0) {
		doctor_add(d, DOCTOR_OK, "not configured");
		return;
	}
	if (n) {
		clickhouse_of_control(d, n);
		return;
	}
	for (unsigned i = 0; i < c->url_count; i++) {
		size_t len = strlen(c->urls[i]);
		bool has_slash = len > 0 && c->urls[i][len - 1] == '/';
		snprintf(ping[i], sizeof(ping[i]), "%.*s/ping", (int)(len - has_slash), c->urls[i]);
		probe[i] = (struct doctor_probe){
			.kind = DOCTOR_PROBE_PING, .url = ping[i], .ca_file = c->ca_file};
	}
	doctor_probe_all(probe, c->url_count);
	for (unsigned i = 0; i < c->url_count; i++) {
		char shown[CONFIG_URL_MAX];
		url_shown(ping[i], shown, sizeof(shown));
		if (probe[i].end == DOCTOR_PROBE_NOT_ASKED) {
			doctor_add(d, DOCTOR_UNKNOWN, "%s: %s", shown, probe[i].text);
		} else if (probe[i].end == DOCTOR_PROBE_ANSWERED) {
			doctor_add(d, DOCTOR_OK, "%s answers", shown);
		} else {
			doctor_add(d, DOCTOR_WARNING, "%s: %s", shown, probe[i].text);
			doctor_do(d, "curl -sS %s", SHELL_QUOTE(shown));
		}
	}
}
