// SPDX-License-Identifier: BSD-3-Clause
// Endpoint of the most frequent names, clients and blocked names over all boxes that write one
// ClickHouse table. A helper thread reads them (job_runner.h).

#include "api_param.h"
#include "api_server.h"
#include "http/bootstrap.h"
#include "querylog/clickhouse/clickhouse_top.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/heap_site.h>

enum { LIMIT = 10, SECONDS = 86400, TOP_MS = JOB_RUNNER_WAIT_MS + CLICKHOUSE_ASK_MS + 2000 };

// The settings of query_log.clickhouse, copied: a reload may free them while the thread reads.
struct fleet_top {
	struct http_exchange *exchange;
	unsigned seconds, limit, server_count;
	struct socket_address server[CONFIG_UPSTREAMS_MAX];
	char url[CLICKHOUSE_URLS_MAX][CLICKHOUSE_URL_MAX];
	char user[CLICKHOUSE_SECRET_MAX], password[CLICKHOUSE_SECRET_MAX];
	char database[CLICKHOUSE_NAME_MAX], table[CLICKHOUSE_NAME_MAX], ca_file[256];
	struct clickhouse_top found;
};

static void settings_copy(const struct config *c, struct fleet_top *t)
{
	const struct config_query_log_clickhouse *s = &c->query_log.clickhouse;
	t->server_count = bootstrap_servers(c, t->server);
	for (unsigned i = 0; i < s->url_count; i++)
		snprintf(t->url[i], sizeof(t->url[i]), "%s", s->urls[i]);
	snprintf(t->user, sizeof(t->user), "%s", s->user);
	snprintf(t->password, sizeof(t->password), "%s", s->password ? s->password : "");
	snprintf(t->database, sizeof(t->database), "%s", s->database);
	snprintf(t->table, sizeof(t->table), "%s", s->table);
	snprintf(t->ca_file, sizeof(t->ca_file), "%s", s->ca_file);
}

static int top_work(void *arg, const _Atomic bool *stop)
{
	struct fleet_top *t = arg;
	struct clickhouse_client_settings s = {.user = t->user,
		.password = t->password,
		.post = {.server_count = t->server_count,
			.servers = t->server,
			.stop = stop,
			.ca_file = t->ca_file}};
	const struct clickhouse_top_wanted wanted = {t->database, t->table, t->seconds, t->limit};
	for (unsigned i = 0; i < CLICKHOUSE_URLS_MAX && *t->url[i]; i++)
		s.urls[i] = t->url[i];
	return clickhouse_top_read(&s, &wanted, &t->found);
}

static void list_out(struct json_out *o, struct json_node *root, const struct fleet_top *t,
	enum clickhouse_top_of of)
{
	const unsigned limit = of == CLICKHOUSE_TOP_boxes ? CLICKHOUSE_TOP_ITEMS_MAX : t->limit;
	struct json_node *list = json_out_array(o, root, clickhouse_top_names[of]);
	struct clickhouse_top_item item;
	for (unsigned i = 0; i < limit && clickhouse_top_item(&t->found, of, i, &item); i++) {
		struct json_node *n = json_out_object(o, list, NULL);
		json_out_text(o, n, "text", item.text);
		json_out_text(o, n, "name", item.name);
		json_out_count(o, n, "queries", item.queries);
		json_out_count(o, n, "blocked", item.blocked);
		struct json_node *by = json_out_array(o, n, "by_box");
		for (unsigned k = 0; k < item.boxes; k++) {
			struct json_node *one = json_out_object(o, by, NULL);
			json_out_text(o, one, "box", item.by[k].box);
			json_out_count(o, one, "queries", item.by[k].queries);
		}
	}
}

static void on_read(void *arg, int err)
{
	struct fleet_top *t = arg;
	if (err == -EIO) {
		api_refuse(t->exchange, 502, "ClickHouse: %s", t->found.why);
	} else if (err) {
		api_busy(t->exchange, err);
	} else {
		struct json_out *o = json_out_new();
		json_out_count(o, json_out_root(o), "seconds", t->seconds);
		for (unsigned of = 0; of < CLICKHOUSE_TOPS_COUNT; of++)
			list_out(o, json_out_root(o), t, (enum clickhouse_top_of)of);
		http_reply(t->exchange, 200, json_out_finish(o));
	}
	clickhouse_top_free(&t->found);
	explicit_bzero(t->password, sizeof(t->password));
	heap_free(t);
}

// Replies with the most frequent names and clients of all boxes, from ClickHouse.
static void serve_fleet_top(struct api *a, struct http_exchange *x)
{
	const struct config *c =
		a->deps.config_current ? a->deps.config_current(a->deps.reload_arg) : NULL;
	unsigned limit = LIMIT, seconds = SECONDS;
	if ((http_param(x, "limit")
		    && !api_param_number(x, "limit", CLICKHOUSE_TOP_ITEMS_MAX, &limit))
		|| (http_param(x, "seconds")
			&& !api_param_number(x, "seconds", CLICKHOUSE_TOP_SECONDS_MAX, &seconds)))
		return;
	if (!c || !c->query_log.clickhouse.url_count) {
		api_refuse(x, 409,
			"no ClickHouse server is configured (query_log.clickhouse.url): "
			"this box knows its own queries alone");
		return;
	}
	struct fleet_top *t = heap_calloc(1, sizeof(*t));
	if (!t) {
		http_reply(x, 500, NULL);
		return;
	}
	t->exchange = x;
	t->limit = limit;
	t->seconds = seconds;
	settings_copy(c, t);
	http_defer(x, TOP_MS);
	const int err = job_runner_start(a->searches, http_job_user(x), top_work, on_read, t);
	if (err)
		on_read(t, err);
}

const struct api_part api_fleet_top_part = {
	.endpoint = {{"/fleet/top", serve_fleet_top, API_GET, CONTROL_READ, "seconds limit"}}};
