// SPDX-License-Identifier: BSD-3-Clause
// Lists by URL, Redis and ClickHouse: what the running control plane knows of them, and without one
// what a probe shows. weir serves without any of the three.

#include "doctor_checks.h"
#include "doctor_probe.h"
#include "lib/http_get.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/url.h>

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
