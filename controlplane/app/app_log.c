// SPDX-License-Identifier: BSD-3-Clause
// The query log of this process: the name of the box, the sinks (tops, tail, store, ClickHouse,
// request log, dnstap, webhooks), start and end; and the other outputs: events and the update
// notice.

#include "app.h"
#include "app_apply.h"
#include "app_events.h"
#include "http/bootstrap.h"
#include "querylog/querylog_row.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/log.h>
#include <weir/text.h>

// text_name escapes the name, because a host name may have any bytes.
void app_box_name(struct app *a)
{
	char host[HOST_NAME_MAX_BYTES + 1] = "";
	const char *box = a->started->query_log.box;
	if (!box[0])
		box = a->started->sync.name;
	if (!box[0]) {
		if (gethostname(host, sizeof(host) - 1) < 0 || !host[0])
			snprintf(host, sizeof(host), "weir");
		box = host;
	}
	text_name(box, a->box, sizeof(a->box));
}

static int sinks_add(struct app *a)
{
	int rc = top_open(&a->top, a->publisher, clock_mono_ms());
	if (rc == 0) {
		const struct querylog_sink sink = top_sink(a->top);
		rc = querylog_add(a->log, &sink);
	}
	if (rc == 0)
		rc = tail_open(&a->tail);
	if (rc == 0) {
		const struct querylog_sink sink = tail_sink(a->tail);
		rc = querylog_add(a->log, &sink);
	}
	return rc;
}

int app_log_open(struct app *a, char why[APP_WHY_MAX])
{
	char hand[PATH_MAX];
	snprintf(hand, sizeof(hand), "%s/" SHM_NAME_LOG_HAND, a->paths.mem);
	const struct querylog_settings settings = {.box = a->box, .hand_path = hand};
	int rc = client_names_open(&a->client_names);
	if (rc == 0)
		rc = querylog_open(&a->log, &settings);
	if (rc == 0)
		querylog_set_clients(a->log, client_names_book(a->client_names));
	if (rc == 0)
		rc = watch_open(&a->watch);
	if (rc == 0)
		watch_set_book(a->watch, a->book);
	if (rc == 0)
		querylog_set_watch(a->log, watch_put, a->watch);
	if (rc == 0)
		rc = sinks_add(a);
	if (rc == 0)
		rc = resolvers_set_log(&a->resolvers, a->log, a->started);
	for (unsigned i = 0; i < a->frontends.count && rc == 0; i++)
		rc = frontend_set_log(a->frontends.one[i].engine, a->log, a->started);
	if (rc < 0)
		snprintf(why, APP_WHY_MAX, "query log: %s", strerror(-rc));
	return rc;
}

int app_log_start(struct app *a)
{
	return querylog_start(a->log);
}

void app_log_names(struct app *a, const struct config *c, uint64_t policy_generation)
{
	unsigned count;
	if (client_names_configure(a->client_names, c) < 0)
		log_warning("no memory for other settings of client_names; keeping the old ones");
	const struct rule_list_info *lists = rules_lists(a->rules, &count);
	struct querylog_names *names = querylog_names_new(c, lists, count, a->book);
	if (!names) {
		log_warning("query log: no memory for the new names of clients and lists; keeping "
			    "the old ones");
		return;
	}
	if (a->log_names)
		querylog_names_follow(names, a->log_names, policy_generation);
	querylog_names_release(a->log_names);
	querylog_names_hold(names);
	a->log_names = names;
	querylog_set_names(a->log, names);
}

// Called once the loops of resolvers and frontends have ended: writes their debts to their rings,
// and all rings to the sinks.
void app_log_stop(struct app *a)
{
	if (!a->log)
		return;
	resolvers_end_log(&a->resolvers);
	for (unsigned i = 0; i < a->frontends.count; i++)
		frontend_end_log(a->frontends.one[i].engine);
	querylog_stop(a->log);
}

void app_log_close(struct app *a)
{
	querylog_close(a->log);
	client_names_close(a->client_names);
	querylog_names_release(a->log_names);
	top_free(a->top);
	tail_free(a->tail);
	watch_free(a->watch);
}

// Servers that resolve names in URLs of sinks, as for lists. Returns their number.
static unsigned name_servers(
	const struct config *c, struct socket_address out[CONFIG_UPSTREAMS_MAX])
{
	return bootstrap_servers(c, out);
}

static void clickhouse_schema_of(
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

// Fills in all settings but box, folder and sizes, which keep their values of the start, as does
// ca_file. The settings point into `c` and `server`.
static void clickhouse_settings_of(struct app *a, const struct config *c,
	struct socket_address server[CONFIG_UPSTREAMS_MAX], struct clickhouse_settings *out)
{
	const struct config_query_log_clickhouse *s = &c->query_log.clickhouse,
						 *started = &a->started->query_log.clickhouse;
	*out = (struct clickhouse_settings){
		.client = {.user = s->user,
			.password = s->password ? s->password : "",
			.post = {.server_count = name_servers(c, server),
				.servers = server,
				.single = &a->http_single,
				.ca_file = started->ca_file}},
		.flush_ms = s->flush_ms};
	for (unsigned i = 0; i < s->url_count; i++)
		out->client.urls[i] = s->urls[i];
	clickhouse_schema_of(s, &out->schema);
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
	clickhouse_settings_of(a, c, server, &settings);
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

static bool clickhouse_is_same(
	const struct clickhouse_settings *a, const struct clickhouse_settings *b)
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
	// Turning the sink on or off needs a restart, which the reload reports.
	if (!a->clickhouse || !c->query_log.clickhouse.url_count)
		return 0;
	clickhouse_settings_of(a, before, server[0], &was);
	clickhouse_settings_of(a, c, server[1], &is);
	if (clickhouse_is_same(&was, &is) && !a->clickhouse_is_behind)
		return 0;
	int rc = clickhouse_reconfigure(a->clickhouse, &is);
	a->clickhouse_is_behind = rc < 0;
	return rc;
}

int app_store_open(struct app *a, char why[APP_WHY_MAX])
{
	const struct config *c = a->started;
	const struct config_query_log_store *s = &c->query_log.store;
	char folder[PATH_MAX];
	if (!s->enabled)
		return 0;
	if (*s->directory)
		snprintf(folder, sizeof(folder), "%s", s->directory);
	else
		snprintf(folder, sizeof(folder), "%s/log", c->runtime.state_directory);
	const struct query_store_settings settings = {.folder = folder,
		.hours = s->hours,
		.max_bytes = (uint64_t)s->max_mb << 20,
		.max_rate = s->max_rate};
	int ret = query_store_open(&a->store, &settings);
	if (ret == 0) {
		struct querylog_sink sink = query_store_sink(a->store);
		ret = querylog_add(a->log, &sink);
	}
	if (ret < 0)
		snprintf(why, APP_WHY_MAX, "query store: %s", strerror(-ret));
	return ret;
}

static int output_add(struct app *a, struct sink_thread *t)
{
	assert(a->outputs < APP_OUTPUTS_MAX);
	const struct querylog_sink sink = sink_thread_sink(t);
	a->output[a->outputs++] = t;
	return querylog_add(a->log, &sink);
}

static int requests_open(struct app *a)
{
	const struct config_query_log_requests *c = &a->started->query_log.requests;
	char folder[PATH_MAX];
	if (!c->enabled)
		return 0;
	if (*c->directory)
		snprintf(folder, sizeof(folder), "%s", c->directory);
	else
		snprintf(
			folder, sizeof(folder), "%s/requests", a->started->runtime.state_directory);
	const struct request_log_settings settings = {.folder = folder,
		.json = c->format == REQUESTS_JSON,
		.days = c->days,
		.max_bytes = (uint64_t)c->max_mb << 20};
	int rc = request_log_open(&a->requests, &settings);
	return rc < 0 ? rc : output_add(a, request_log_thread(a->requests));
}

static int dnstap_add(struct app *a)
{
	const char *path = a->started->query_log.dnstap.socket;
	int rc = *path ? dnstap_open(&a->dnstap, path) : 0;
	return rc < 0 || !*path ? rc : output_add(a, dnstap_thread(a->dnstap));
}

static int webhooks_add(struct app *a)
{
	const struct config *c = a->started;
	struct socket_address server[CONFIG_UPSTREAMS_MAX];
	const struct webhook_settings settings = {.targets = c->query_log.webhooks,
		.count = c->query_log.webhook_count,
		.box = a->box,
		.server_count = name_servers(c, server),
		.servers = server,
		.single = &a->http_single};
	if (settings.count == 0)
		return 0;
	int rc = webhook_open(&a->webhooks, &settings);
	return rc < 0 ? rc : output_add(a, webhook_thread(a->webhooks));
}

// Opens the outputs of events before the first event, so that they get it.
static int event_outs_begin(struct app *a)
{
	const struct config *c = a->started;
	struct socket_address server[CONFIG_UPSTREAMS_MAX];
	const struct event_outs_settings s = {
		.events = app_events_of(a->events), .box = a->box, .single = &a->http_single};
	int rc = event_outs_open(&a->event_outs, &s);
	return rc < 0 ? rc
		      : event_outs_configure(
			      a->event_outs, true, &c->events, server, name_servers(c, server));
}

static int updates_begin(struct app *a)
{
	struct socket_address server[CONFIG_UPSTREAMS_MAX];
	int rc = updates_open(&a->updates, a->service, app_events_of(a->events));
	if (rc == 0)
		updates_configure(a->updates, a->started, server, name_servers(a->started, server));
	return rc;
}

static bool is_ready(void *app)
{
	const struct app *a = app;
	return app_events_reasons(a->events)->blocking == 0;
}

static int sync_begin(struct app *a)
{
	struct socket_address server[CONFIG_UPSTREAMS_MAX];
	const struct sync_hooks hooks = {.apply = app_apply,
		.versions = app_versions_status,
		.bundle = app_bundle,
		.is_ready = is_ready,
		.took_back = app_versions_took_back,
		.arg = a};
	int rc = sync_open(&a->sync, a->service, app_events_of(a->events),
		a->started->runtime.state_directory, &hooks);
	if (rc == 0)
		sync_configure(a->sync, a->started, server, name_servers(a->started, server));
	return rc;
}

int app_outputs_open(struct app *a, char why[APP_WHY_MAX])
{
	const char *what = "query_log.requests";
	int rc = requests_open(a);
	if (rc == 0) {
		what = "query_log.dnstap";
		rc = dnstap_add(a);
	}
	if (rc == 0) {
		what = "query_log.webhooks";
		rc = webhooks_add(a);
	}
	if (rc == 0) {
		what = "events";
		rc = event_outs_begin(a);
	}
	if (rc == 0) {
		what = "updates";
		rc = updates_begin(a);
	}
	if (rc == 0) {
		what = "sync";
		rc = sync_begin(a);
	}
	if (rc < 0)
		snprintf(why, APP_WHY_MAX, "%s: %s", what, strerror(-rc));
	return rc;
}

int app_outputs_reload(struct app *a, const struct config *before, const struct config *c)
{
	struct socket_address server[CONFIG_UPSTREAMS_MAX] = {0},
			      former[CONFIG_UPSTREAMS_MAX] = {0};
	const unsigned count = name_servers(c, server);
	if (a->webhooks)
		webhook_name_servers(a->webhooks, server, count);
	updates_configure(a->updates, c, server, count);
	sync_configure(a->sync, c, server, count);
	const bool is_changed = count != name_servers(before, former)
				|| memcmp(server, former, sizeof(server)) != 0
				|| config_events_differ(&before->events, &c->events);
	return event_outs_configure(a->event_outs, is_changed, &c->events, server, count);
}

void app_outputs_close(struct app *a)
{
	request_log_close(a->requests);
	dnstap_close(a->dnstap);
	webhook_close(a->webhooks);
	event_outs_close(a->event_outs);
	updates_close(a->updates);
}
