// SPDX-License-Identifier: BSD-3-Clause
// Endpoints of the query log's totals: most frequent names and clients over a span of the query
// store; clients with name, MAC address and queries; sources of client names; and the present top.

#include "api_clients.h"

#include "api/metrics/metrics.h"
#include "api_param.h"
#include "api_server.h"
#include "base/frontend_neighbour.h"
#include "querylog/sinks/top.h"
#include "querylog/store/query_top.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/clock.h>
#include <weir/config.h>
#include <weir/heap_site.h>

// A request about a span of the query store, for all clients or for one. A helper thread
// (job_runner.h) reads and sorts the files (query_top.h), for a bounded time; the reply is made on
// the service loop. Parameters: `seconds`, `until`, `client`, `limit`.

struct log_top {
	struct api *api;
	struct http_exchange *exchange;
	void (*out)(struct json_out *o, struct json_node *root, const struct log_top *c);
	char folder[PATH_MAX];
	struct query_top_wanted wanted;
	unsigned limit;
	char unknown_client[API_WHY_MAX];
	struct query_top_report *report;
	struct frontend_neighbours *neighbours; // while the reply is made; NULL: no memory
};

enum { LIMIT = 10, SECONDS_MAX = QUERY_TOP_HOURS_MAX * 3600 };

static int top_work(void *arg, const _Atomic bool *stop)
{
	struct log_top *c = arg;
	return query_top_find(c->folder, &c->wanted, stop, &c->report);
}

// Adds the first c->limit items of a bag, sorted by one of their counts.
static void log_top_bag(struct json_out *o, struct json_node *root, const char *name,
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

// A table for one reply. NULL: no memory.
static struct frontend_neighbours *neighbours_new(void)
{
	struct frontend_neighbours *n = heap_calloc(1, sizeof(*n));
	if (n)
		frontend_neighbours_open(n);
	return n;
}

static void neighbours_free(struct frontend_neighbours *n)
{
	if (n)
		frontend_neighbours_close(n);
	heap_free(n);
}

// Replies with the fields about the span, then with those that c->out adds.
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
	c->neighbours = neighbours_new();
	c->out(o, root, c);
	neighbours_free(c->neighbours);
	c->neighbours = NULL;
	http_reply(c->exchange, 200, json_out_finish(o));
}

static void on_found(void *arg, int err)
{
	struct log_top *c = arg;
	const struct http_turn turn = http_turn_begin(c->exchange);
	if (err)
		api_busy(c->exchange, err);
	else
		reply_out(c);
	query_top_free(c->report);
	heap_free(c);
	http_turn_end(&turn);
}

// `out` adds the endpoint's own fields to the reply.
static void log_top_serve(struct api *a, struct http_exchange *x,
	void (*out)(struct json_out *o, struct json_node *root, const struct log_top *c))
{
	struct query_top_wanted wanted = {
		.for_ms = QUERY_TOP_MS, .until_us = (int64_t)(time(NULL) + 1) * 1000000};
	char unknown_client[API_WHY_MAX] = "";
	unsigned limit = LIMIT, seconds = 86400;
	if ((http_param(x, "limit") && !api_param_number(x, "limit", QUERY_TOP_ITEMS_MAX, &limit))
		|| (http_param(x, "seconds")
			&& !api_param_number(x, "seconds", SECONDS_MAX, &seconds))
		|| !api_param_time(x, "until", &wanted.until_us)
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
	wanted.since_us = wanted.until_us - (int64_t)seconds * 1000000;
	*c = (struct log_top){
		.api = a, .exchange = x, .out = out, .wanted = wanted, .limit = limit};
	memcpy(c->unknown_client, unknown_client, sizeof(c->unknown_client));
	snprintf(c->folder, sizeof(c->folder), "%s", query_store_folder(a->deps.store));
	http_defer(x, API_FLUSH_MS);
	int err = job_runner_start(a->searches, http_job_user(x), top_work, on_found, c);
	if (err)
		on_found(c, err);
}

// Replies with the most frequent names and clients of the query store.
static void serve_log_top(struct api *a, struct http_exchange *x)
{
	log_top_serve(a, x, report_out);
}

const struct api_part api_log_top_part = {.endpoint = {{"/log/top", serve_log_top, API_GET,
						  CONTROL_READ, "seconds client limit until"}}};

static const struct config *config_of(const struct api *a)
{
	return a->deps.config_current ? a->deps.config_current(a->deps.reload_arg) : NULL;
}

// How clients are shown. Without a configuration they are hashed, so that no address is shown.
enum log_clients api_anonymize(const struct api *a)
{
	const struct config *c = config_of(a);
	return c ? c->query_log.anonymize : LOG_CLIENTS_HASHED;
}

void api_hiding(const struct api *a, struct querylog_hiding *out)
{
	*out = (struct querylog_hiding){.how = api_anonymize(a)};
	if (a->deps.log)
		querylog_hide_copy(a->deps.log, &out->key);
}

const char *api_hidden_text(const struct querylog_hiding *h, unsigned version,
	const uint8_t address[16], char out[QUERYLOG_CLIENT_TEXT_MAX])
{
	uint8_t bytes[16];
	memcpy(bytes, address, sizeof(bytes));
	querylog_hide_client(&h->key, h->how, version, bytes, out);
	return out;
}

struct client_book *api_client_book(const struct api *a)
{
	return api_anonymize(a) == LOG_CLIENTS_WHOLE ? client_names_book(a->deps.client_names)
						     : NULL;
}

// `neighbours` NULL: only a lease has it. `lease`: the address's entry in the book.
static enum api_mac_from mac_find(struct frontend_neighbours *neighbours,
	const struct ip_address *ip, const struct client_entry *lease, struct config_mac *out)
{
	struct sockaddr_storage address;
	socklen_t len;
	uint8_t mac[FRONTEND_NEIGHBOUR_MAC];
	const struct socket_address at = {.ip = *ip, .port = 53};
	if (neighbours && socket_address_to_sockaddr(&at, &address, &len)
		&& frontend_neighbour_mac(
			neighbours, (const struct sockaddr *)&address, clock_mono_ms(), mac)) {
		memcpy(out->bytes, mac, sizeof(out->bytes));
		return API_MAC_NEIGHBOUR;
	}
	if (!lease->has_mac)
		return API_MAC_UNKNOWN;
	memcpy(out->bytes, lease->mac, sizeof(out->bytes));
	return API_MAC_LEASE;
}

enum api_mac_from api_client_mac(
	const struct api *a, const struct ip_address *ip, struct config_mac *out)
{
	struct client_entry lease = {0};
	struct frontend_neighbours *n = neighbours_new();
	(void)!client_book_find(client_names_book(a->deps.client_names), ip->version, ip->bytes,
		time(NULL), &lease);
	const enum api_mac_from from = mac_find(n, ip, &lease, out);
	neighbours_free(n);
	return from;
}

void api_client_out(struct json_out *o, struct json_node *n, const struct api *a,
	struct frontend_neighbours *neighbours, const char *address)
{
	const struct config_client *known = NULL;
	struct client_entry found = {0};
	struct config_mac mac = {0};
	struct ip_address ip;
	char text[CONFIG_MAC_TEXT_MAX] = "";
	if (api_anonymize(a) == LOG_CLIENTS_WHOLE && ip_address_parse(address, &ip) == 0) {
		const struct config *c = config_of(a);
		(void)!client_book_find(
			api_client_book(a), ip.version, ip.bytes, time(NULL), &found);
		if (mac_find(neighbours, &ip, &found, &mac)) {
			config_mac_text(&mac, text);
			known = config_client_by_mac(c, &mac);
		}
		known = known ? known : config_client_by_address(c, &ip);
	}
	json_out_text(o, n, "client_name", known ? known->name : found.name);
	json_out_text(o, n, "name_from",
		known         ? "clients"
		: *found.name ? client_from_names[found.from]
			      : "");
	json_out_text(o, n, "mac", text);
}

static void clients_out(struct json_out *o, struct json_node *root, const struct log_top *c)
{
	const struct query_top_first *first =
		&c->report->first[QUERY_TOP_clients][QUERY_BAG_QUERIES];
	struct json_node *list = json_out_array(o, root, "clients");
	json_out_count(o, root, "client_count", c->report->bag[QUERY_TOP_clients].count);
	for (unsigned i = 0; i < first->count && i < c->limit; i++) {
		const struct query_bag_item *item = &first->item[i];
		struct json_node *n = json_out_object(o, list, NULL);
		json_out_text(o, n, "address", item->text);
		api_client_out(o, n, c->api, c->neighbours, item->text);
		json_out_count(o, n, "queries", item->tally.queries);
		json_out_count(o, n, "blocked", item->tally.blocked);
		json_out_count(o, n, "missing", item->tally.missing);
		json_out_signed(o, n, "first_unix_s", item->tally.first_us / 1000000);
		json_out_signed(o, n, "last_unix_s", item->tally.last_us / 1000000);
	}
	if (!*c->wanted.client)
		return;
	log_top_bag(o, root, "names", c, QUERY_TOP_names, QUERY_BAG_QUERIES);
	log_top_bag(o, root, "blocked", c, QUERY_TOP_names, QUERY_BAG_BLOCKED);
	log_top_bag(o, root, "lists", c, QUERY_TOP_lists, QUERY_BAG_BLOCKED);
}

// Replies with the clients of the query store.
static void serve_clients(struct api *a, struct http_exchange *x)
{
	log_top_serve(a, x, clients_out);
}

// Replies with the sources of clients' names.
static void serve_names(struct api *a, struct http_exchange *x)
{
	struct client_names_status s = {0};
	if (a->deps.client_names)
		client_names_status(a->deps.client_names, &s);
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	for (unsigned i = 0; i < CLIENT_FROM_COUNT; i++)
		json_out_count(o, root, client_from_names[i], s.book.used[i]);
	json_out_count(o, root, "ptr_servers", s.servers);
	json_out_count(o, root, "ptr_asked", s.asked);
	json_out_count(o, root, "ptr_answered", s.answered);
	json_out_count(o, root, "ptr_failed", s.failed);
	json_out_count(o, root, "ptr_refused", s.book.not_asked);
	json_out_text(o, root, "domain", config_of(a)->local.domain);
	json_out_count(o, root, "lease_answered", s.leases.names);
	json_out_count(o, root, "lease_conflicts", s.leases.conflicts);
	json_out_count(o, root, "lease_refused", lease_counts_refused(&s.leases));
	json_out_count(o, root, "router_answered", s.router.names);
	json_out_count(o, root, "router_conflicts", s.router.conflicts);
	json_out_count(o, root, "router_refused", lease_counts_refused(&s.router));
	struct json_node *list = json_out_array(o, root, "files");
	for (unsigned i = 0; i < s.file_count; i++) {
		struct json_node *n = json_out_object(o, list, NULL);
		json_out_text(o, n, "file", s.file[i].path);
		json_out_count(o, n, "names", s.file[i].names);
		json_out_count(o, n, "bad_lines", s.file[i].bad);
		json_out_text(o, n, "why", s.file[i].why);
	}
	http_reply(x, 200, json_out_finish(o));
}

static void clients_tables(struct api *a, struct table_registry *tables)
{
	struct client_names_status s;
	if (!a->deps.client_names)
		return;
	client_names_status(a->deps.client_names, &s);
	table_register(
		tables, &(struct table_info){.name = "client_names",
				.owner = "query log",
				.eviction = "evict the worst source in the same set, or refuse",
				.lifetime = "until the lease, the TTL or the file ends",
				.kind = TABLE_CACHE,
				.cap = CLIENT_BOOK_MAX,
				.used = s.book.entries,
				.evicted = s.book.evicted,
				.refused = s.book.refused,
				.bytes = s.book.bytes,
				.has = TABLE_EVICTS | TABLE_REFUSES});
	table_register(tables, &(struct table_info){.name = "lease_names",
				       .owner = "query log",
				       .eviction = "refuse",
				       .lifetime = "until a lease file or a name by PTR changes",
				       .kind = TABLE_FIXED,
				       .cap = LEASE_NAMES_MAX,
				       .used = s.leases.names + s.router.names,
				       .refused = lease_counts_refused(&s.leases)
						  + lease_counts_refused(&s.router),
				       .bytes = s.lease_bytes,
				       .has = TABLE_REFUSES});
	table_register(tables, &(struct table_info){.name = "client_ptr_waits",
				       .owner = "query log",
				       .eviction = "refuse",
				       .lifetime = "until its query",
				       .kind = TABLE_WORK,
				       .cap = CLIENT_BOOK_WANTED,
				       .used = s.book.wanted,
				       .refused = s.book.not_asked,
				       .has = TABLE_REFUSES});
}

const struct api_part api_clients_part = {
	.endpoint = {{"/clients", serve_clients, API_GET, CONTROL_READ,
			     "seconds client limit until"},
		{"/clients/names", serve_names, API_GET, CONTROL_READ, ""}},
	.tables = clients_tables,
};

// Endpoint of the most active clients and the most popular names.

enum { TOP_LIMIT = 10 };

static void kind_out(struct json_out *o, struct json_node *root, const struct api *a,
	const struct top_report *r, enum top_kind kind)
{
	struct json_node *n = json_out_object(o, root, top_kind_names[kind]);
	json_out_count(o, n, "queries", r->queries[kind]);
	struct json_node *list = json_out_array(o, n, "items");
	for (unsigned i = 0; i < r->count[kind]; i++) {
		const struct top_item *from = &r->item[kind][i];
		struct json_node *item = json_out_object(o, list, NULL);
		const char *feed = kind == TOP_RULES ? strchr(from->text, '\n') : NULL;
		json_out_text(o, item, "text", feed ? feed + 1 : from->text);
		if (feed) {
			char title[RULE_TITLE_MAX];
			snprintf(
				title, sizeof(title), "%.*s", (int)(feed - from->text), from->text);
			json_out_text(o, item, "list", title);
		}
		if (kind == TOP_CLIENTS)
			api_client_out(o, item, a, NULL, from->text);
		json_out_count(o, item, "queries", from->count);
		json_out_count(o, item, "error", from->error);
	}
}

// Replies with the most frequent names and clients of the last minutes.
static void serve_top(struct api *a, struct http_exchange *x)
{
	unsigned limit = TOP_LIMIT;
	if (http_param(x, "limit") && !api_param_number(x, "limit", TOP_ITEMS_MAX, &limit))
		return;
	if (!a->deps.top) {
		api_refuse(x, 409, "there is no query log");
		return;
	}
	struct top_report *r = heap_malloc(sizeof(*r));
	if (!r) {
		http_reply(x, 500, NULL);
		return;
	}
	top_read(a->deps.top, limit, r);
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	json_out_count(o, root, "for_ms", clock_mono_ms() - r->since_ms);
	json_out_count(o, root, "slow_us", TOP_SLOW_US);
	struct json_node *totals = json_out_object(o, root, "totals");
	JSON_COUNTS(o, totals, &r->totals, queries, hits, blocked, upstream, nxdomain, slow);
	for (unsigned k = 0; k < TOP_KINDS; k++)
		kind_out(o, root, a, r, k);
	http_reply(x, 200, json_out_finish(o));
	heap_free(r);
}

static void top_tables(struct api *a, struct table_registry *tables)
{
	struct top_size size;
	if (!a->deps.top)
		return;
	top_size(a->deps.top, &size);
	table_register(tables, &(struct table_info){.name = "top_sketches",
				       .owner = "query log",
				       .eviction = "evict the least counted",
				       .lifetime = "30 min",
				       .kind = TABLE_CACHE,
				       .cap = size.cap,
				       .used = size.used,
				       .evicted = size.evicted,
				       .oldest_ms = table_age(size.since_ms, clock_mono_ms()),
				       .has = TABLE_AGES | TABLE_EVICTS,
				       .bytes = size.bytes});
}

// Writes samples of at most RULE_HIT_LISTS lists, however many the configuration has had.
static void top_metrics(struct metrics_text *t, const struct api *a)
{
	char title[RULE_TITLE_MAX];
	uint64_t queries;
	struct top_size size;
	if (!a->deps.top)
		return;
	metrics_family(t, METRICS_COUNTER, "weir_list_blocked_queries_total",
		"Queries that a list blocked, of the query log.");
	for (unsigned i = 0; top_list_at(a->deps.top, i, title, &queries); i++)
		metrics_count(t, METRICS_LABELS({"list", title}), queries);
	top_size(a->deps.top, &size);
	metrics_one(t, METRICS_COUNTER, "weir_list_blocked_queries_left_out_total",
		"Blocked queries without a list above: too many lists since the start.",
		size.lists_left_out);
}

const struct api_part api_top_part = {
	.endpoint = {{"/top", serve_top, API_GET, CONTROL_READ, "limit"}},
	.metrics = top_metrics,
	.tables = top_tables,
};
