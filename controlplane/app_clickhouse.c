// SPDX-License-Identifier: BSD-3-Clause
// The ClickHouse sink of the query log.

#include "app_reload.h"

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
	snprintf(out->database, sizeof out->database, "%s", s->database);
	snprintf(out->table, sizeof out->table, "%s", s->table);
}

unsigned app_name_servers(const struct config *c, struct socket_address out[CONFIG_UPSTREAMS_MAX])
{
	const struct config_update *u = &c->blocking.update;
	unsigned count = u->bootstrap_count ? u->bootstrap_count : c->upstreams.count;
	for (unsigned i = 0; i < count; i++)
		out[i] = u->bootstrap_count ? u->bootstrap[i] : c->upstreams.server[i].address;
	return count;
}

int app_clickhouse_open(struct app *a, char why[APP_WHY_MAX])
{
	const struct config *c = a->started;
	const struct config_query_log_clickhouse *s = &c->query_log.clickhouse;
	struct socket_address server[CONFIG_UPSTREAMS_MAX];
	char folder[PATH_MAX];
	if (!*s->url)
		return 0;
	if (*s->spool_directory)
		snprintf(folder, sizeof folder, "%s", s->spool_directory);
	else
		snprintf(folder, sizeof folder, "%s/clickhouse", c->runtime.state_directory);
	unsigned servers = app_name_servers(c, server);
	struct clickhouse_settings settings = {.client = {.url = s->url,
						       .user = s->user,
						       .password = s->password ? s->password : "",
						       .post = {.server_count = servers,
							       .servers = server,
							       .single = &a->http_single}},
		.box = a->box,
		.folder = folder,
		.spool_max_bytes = (uint64_t)s->spool_mb << 20,
		.flush_ms = s->flush_ms};
	schema_of(s, &settings.schema);
	int ret = clickhouse_open(&a->clickhouse, &settings);
	if (ret == 0) {
		struct querylog_sink sink = clickhouse_sink(a->clickhouse);
		ret = querylog_add(a->log, &sink);
	}
	if (ret < 0)
		snprintf(why, APP_WHY_MAX, "clickhouse: %s", strerror(-ret));
	return ret;
}
