// SPDX-License-Identifier: BSD-3-Clause
// The query store, the sinks of the query log that write to somewhere else, and the update notice,
// each by option.

#include "app_events.h"
#include "app_reload.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

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
		.server_count = app_name_servers(c, server),
		.servers = server,
		.single = &a->http_single};
	if (settings.count == 0)
		return 0;
	int rc = webhook_open(&a->webhooks, &settings);
	return rc < 0 ? rc : output_add(a, webhook_thread(a->webhooks));
}

// Before the first event, which the outputs are to have.
static int event_outs_begin(struct app *a)
{
	const struct config *c = a->started;
	struct socket_address server[CONFIG_UPSTREAMS_MAX];
	const struct event_outs_settings s = {
		.events = app_events_of(a->events), .box = a->box, .single = &a->http_single};
	int rc = event_outs_open(&a->event_outs, &s);
	return rc < 0 ? rc
		      : event_outs_configure(
			      a->event_outs, &c->events, server, app_name_servers(c, server));
}

static int updates_begin(struct app *a)
{
	struct socket_address server[CONFIG_UPSTREAMS_MAX];
	int rc = updates_open(&a->updates, a->service, app_events_of(a->events));
	if (rc == 0)
		updates_configure(
			a->updates, a->started, server, app_name_servers(a->started, server));
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
	if (rc < 0)
		snprintf(why, APP_WHY_MAX, "%s: %s", what, strerror(-rc));
	return rc;
}

int app_outputs_reload(struct app *a, const struct config *before, const struct config *c)
{
	struct socket_address server[CONFIG_UPSTREAMS_MAX] = {0},
			      former[CONFIG_UPSTREAMS_MAX] = {0};
	const unsigned count = app_name_servers(c, server);
	if (a->webhooks)
		webhook_name_servers(a->webhooks, server, count);
	updates_configure(a->updates, c, server, count);
	if (count == app_name_servers(before, former) && memcmp(server, former, sizeof(server)) == 0
		&& !config_events_differ(&before->events, &c->events))
		return 0;
	return event_outs_configure(a->event_outs, &c->events, server, count);
}

void app_outputs_close(struct app *a)
{
	request_log_close(a->requests);
	dnstap_close(a->dnstap);
	webhook_close(a->webhooks);
	event_outs_close(a->event_outs);
	updates_close(a->updates);
}
