// SPDX-License-Identifier: BSD-3-Clause
// The ClickHouse sink of the query log.

#include "app_reload.h"
#include "http/bootstrap.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

static void schema_of(
	const struct config_query_log_clickhouse *s, struct clickhouse_schema_settings *out)
{
	*out = (struct clickhouse_schema_settings){.by_hour = s->partition == LOG_PARTITION_HOUR,
		.hours = s->hours,
		.max_bytes = (uint64_t)s->max_mb << 20,
		.rollups = s->rollups,
		.rollup_days = s->rollup_days};
	snprintf(out->database, sizeof(out->database), "%s", s->database);
	snprintf(out->table, sizeof(out->table), "%s", s->table);
}

unsigned app_name_servers(const struct config *c, struct socket_address out[CONFIG_UPSTREAMS_MAX])
{
	return bootstrap_servers(c, out);
}

// All but box, folder and sizes, which stay as they were at the start, as does ca_file. It refers
// to `c` and `server`.
static void settings_of(struct app *a, const struct config *c,
	struct socket_address server[CONFIG_UPSTREAMS_MAX], struct clickhouse_settings *out)
{
	const struct config_query_log_clickhouse *s = &c->query_log.clickhouse,
						 *started = &a->started->query_log.clickhouse;
	*out = (struct clickhouse_settings){
		.client = {.user = s->user,
			.password = s->password ? s->password : "",
			.post = {.server_count = app_name_servers(c, server),
				.servers = server,
				.single = &a->http_single,
				.ca_file = started->ca_file}},
		.flush_ms = s->flush_ms};
	for (unsigned i = 0; i < s->url_count; i++)
		out->client.urls[i] = s->urls[i];
	schema_of(s, &out->schema);
}

int app_clickhouse_open(struct app *a, char why[APP_WHY_MAX])
{
	const struct config *c = a->started;
	const struct config_query_log_clickhouse *s = &c->query_log.clickhouse;
	struct socket_address server[CONFIG_UPSTREAMS_MAX];
	char folder[PATH_MAX];
	if (!s->url_count)
		return 0;
	if (*s->spool_directory)
		snprintf(folder, sizeof(folder), "%s", s->spool_directory);
	else
		snprintf(folder, sizeof(folder), "%s/clickhouse", c->runtime.state_directory);
	struct clickhouse_settings settings;
	settings_of(a, c, server, &settings);
	settings.box = a->box;
	settings.folder = folder;
	settings.spool_max_bytes = (uint64_t)s->spool_mb << 20;
	int rc = clickhouse_open(&a->clickhouse, &settings);
	if (rc == 0) {
		struct querylog_sink sink = clickhouse_sink(a->clickhouse);
		rc = querylog_add(a->log, &sink);
	}
	if (rc < 0)
		snprintf(why, APP_WHY_MAX, "clickhouse: %s", strerror(-rc));
	return rc;
}

static bool is_same(const struct clickhouse_settings *a, const struct clickhouse_settings *b)
{
	const struct clickhouse_client_settings *x = &a->client, *y = &b->client;
	const struct clickhouse_schema_settings *s = &a->schema, *t = &b->schema;
	bool same = strcmp(x->user, y->user) == 0 && strcmp(x->password, y->password) == 0
		    && x->post.server_count == y->post.server_count;
	for (unsigned i = 0; same && (x->urls[i] || y->urls[i]); i++)
		same = x->urls[i] && y->urls[i] && strcmp(x->urls[i], y->urls[i]) == 0;
	for (unsigned i = 0; same && i < x->post.server_count; i++)
		same = memcmp(&x->post.servers[i], &y->post.servers[i], sizeof(x->post.servers[i]))
		       == 0;
	return same && strcmp(s->database, t->database) == 0 && strcmp(s->table, t->table) == 0
	       && s->by_hour == t->by_hour && s->hours == t->hours && s->max_bytes == t->max_bytes
	       && s->rollups == t->rollups && s->rollup_days == t->rollup_days
	       && a->flush_ms == b->flush_ms;
}

int app_clickhouse_reload(struct app *a, const struct config *before, const struct config *c)
{
	struct socket_address server[2][CONFIG_UPSTREAMS_MAX];
	struct clickhouse_settings was, is;
	// Without a URL there, or here, it needs a restart, which the reload says.
	if (!a->clickhouse || !c->query_log.clickhouse.url_count)
		return 0;
	settings_of(a, before, server[0], &was);
	settings_of(a, c, server[1], &is);
	if (is_same(&was, &is) && !a->clickhouse_is_behind)
		return 0;
	int rc = clickhouse_reconfigure(a->clickhouse, &is);
	a->clickhouse_is_behind = rc < 0;
	return rc;
}
