// SPDX-License-Identifier: BSD-3-Clause
// The query log of this process: its name, its sinks, its start and end.

#include "app_reload.h"
#include "querylog/querylog_names.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/log.h>
#include <weir/text.h>

// A host's name is whatever its administrator typed.
static void box_name(struct app *a)
{
	char host[HOST_NAME_MAX_BYTES + 1] = "";
	const char *box = a->started->query_log.box;
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
	box_name(a);
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

// The loops of resolvers and frontends have ended: their debt goes to the ring, and all rings to
// the sinks.
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
