// SPDX-License-Identifier: BSD-3-Clause
// Endpoint of what was asked most over a span of the query store, of all clients or of one. The
// files are read and sorted on a helper thread (job_runner.h), for a bounded time.

#include "api_log_top.h"

#include "api_clients.h"
#include "api_param.h"
#include "base/frontend_neighbour.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <weir/heap_site.h>

enum { LIMIT = 10, SECONDS_MAX = QUERY_TOP_HOURS_MAX * 3600 };

static int top_work(void *arg, const _Atomic bool *stop)
{
	struct log_top *c = arg;
	return query_top_find(c->folder, &c->wanted, stop, &c->report);
}

void log_top_bag(struct json_out *o, struct json_node *root, const char *name,
	const struct log_top *c, enum query_top_of of, enum query_bag_order by)
{
	const struct query_top_first *first = &c->report->first[of][by];
	struct json_node *n = json_out_object(o, root, name);
	json_out_count(o, n, "queries", query_tally_count(&c->report->all, by));
	struct json_node *list = json_out_array(o, n, "items");
	for (unsigned i = 0; i < first->count && i < c->limit; i++) {
		const struct query_bag_item *item = &first->item[i];
		struct json_node *one = json_out_object(o, list, NULL);
		json_out_text(o, one, "text", item->text);
		if (of == QUERY_TOP_clients)
			api_client_out(o, one, c->api, c->neighbours, item->text);
		json_out_count(o, one, "queries", query_tally_count(&item->tally, by));
		json_out_count(o, one, "blocked", item->tally.blocked);
		json_out_signed(o, one, "first_unix_s", item->tally.first_us / 1000000);
		json_out_signed(o, one, "last_unix_s", item->tally.last_us / 1000000);
	}
}

static void hours_out(struct json_out *o, struct json_node *root, const struct query_top_report *r)
{
	struct json_node *list = json_out_array(o, root, "hours");
	for (unsigned i = 0; i < r->hours; i++) {
		struct json_node *n = json_out_object(o, list, NULL);
		json_out_signed(o, n, "unix_s", r->hour[i].hour * 3600);
		json_out_count(o, n, "queries", r->hour[i].tally.queries);
		json_out_count(o, n, "blocked", r->hour[i].tally.blocked);
	}
}

static void report_out(struct json_out *o, struct json_node *root, const struct log_top *c)
{
	log_top_bag(o, root, "names", c, QUERY_TOP_names, QUERY_BAG_QUERIES);
	log_top_bag(o, root, "blocked", c, QUERY_TOP_names, QUERY_BAG_BLOCKED);
	log_top_bag(o, root, "nxdomain", c, QUERY_TOP_names, QUERY_BAG_MISSING);
	log_top_bag(o, root, "clients", c, QUERY_TOP_clients, QUERY_BAG_QUERIES);
	log_top_bag(o, root, "lists", c, QUERY_TOP_lists, QUERY_BAG_BLOCKED);
	log_top_bag(o, root, "groups", c, QUERY_TOP_groups, QUERY_BAG_QUERIES);
	hours_out(o, root, c->report);
}

// What each reply says of its span, then what it is about.
static void reply_out(struct log_top *c)
{
	const struct query_top_report *r = c->report;
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	uint64_t left_out = r->left_out;
	for (unsigned i = 0; i < QUERY_TOP_BAGS; i++)
		left_out += r->bag[i].left_out;
	json_out_bool(o, root, "complete", r->complete);
	json_out_signed(o, root, "covered_s", (c->wanted.until_us - r->covered_us) / 1000000);
	json_out_text(o, root, "unknown_client", c->unknown_client);
	json_out_count(o, root, "unreadable_files", r->unreadable);
	json_out_count(o, root, "left_out", left_out);
	c->neighbours = heap_calloc(1, sizeof(*c->neighbours));
	if (c->neighbours)
		frontend_neighbours_open(c->neighbours);
	c->out(o, root, c);
	if (c->neighbours)
		frontend_neighbours_close(c->neighbours);
	FREE_AND_NULL(c->neighbours);
	http_reply(c->exchange, 200, json_out_finish(o));
}

static void on_found(void *arg, int err)
{
	struct log_top *c = arg;
	if (err)
		api_busy(c->exchange, err);
	else
		reply_out(c);
	query_top_free(c->report);
	heap_free(c);
}

void log_top_serve(struct api *a, struct http_exchange *x,
	void (*out)(struct json_out *o, struct json_node *root, const struct log_top *c))
{
	struct query_top_wanted wanted = {.for_ms = QUERY_TOP_MS};
	char unknown_client[API_WHY_MAX] = "";
	unsigned limit = LIMIT, seconds = 86400;
	if ((http_param(x, "limit") && !api_param_number(x, "limit", QUERY_TOP_ITEMS_MAX, &limit))
		|| (http_param(x, "seconds")
			&& !api_param_number(x, "seconds", SECONDS_MAX, &seconds))
		|| !api_param_past_client(a, x, wanted.client, unknown_client))
		return;
	if (!a->deps.store) {
		api_refuse(x, 409, "the query store is off (query_log.store.enabled)");
		return;
	}
	struct log_top *c = heap_calloc(1, sizeof(*c));
	if (!c) {
		http_reply(x, 500, NULL);
		return;
	}
	wanted.until_us = (int64_t)(time(NULL) + 1) * 1000000;
	wanted.since_us = wanted.until_us - (int64_t)seconds * 1000000;
	*c = (struct log_top){
		.api = a, .exchange = x, .out = out, .wanted = wanted, .limit = limit};
	memcpy(c->unknown_client, unknown_client, sizeof(c->unknown_client));
	snprintf(c->folder, sizeof(c->folder), "%s", query_store_folder(a->deps.store));
	http_defer(x, API_FLUSH_MS);
	int err = job_runner_start(a->searches, http_right(x), top_work, on_found, c);
	if (err)
		on_found(c, err);
}

static void serve_log_top(struct api *a, struct http_exchange *x)
{
	log_top_serve(a, x, report_out);
}

const struct api_part api_log_top_part = {
	.endpoint = {{"/log/top", serve_log_top, API_GET, CONTROL_READ, "seconds client limit"}}};
