// SPDX-License-Identifier: BSD-3-Clause
// Endpoint of clients: name, MAC address, queries over a span of the query store; and where names
// of clients come from.

#include "api_clients.h"

#include "api_log_top.h"
#include "base/frontend_neighbour.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/clock.h>
#include <weir/config.h>

static const struct config *config_of(const struct api *a)
{
	return a->deps.config_current ? a->deps.config_current(a->deps.reload_arg) : NULL;
}

// Without a configuration none are shown.
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

static bool mac_find(struct frontend_neighbours *neighbours, const struct ip_address *ip,
	uint8_t mac[FRONTEND_NEIGHBOUR_MAC])
{
	struct sockaddr_storage address;
	socklen_t len;
	const struct socket_address at = {.ip = *ip, .port = 53};
	return neighbours && socket_address_to_sockaddr(&at, &address, &len)
	       && frontend_neighbour_mac(
		       neighbours, (const struct sockaddr *)&address, clock_mono_ms(), mac);
}

void api_client_out(struct json_out *o, struct json_node *n, const struct api *a,
	struct frontend_neighbours *neighbours, const char *address)
{
	const struct config_client *known = NULL;
	struct client_entry found = {0};
	struct config_mac mac = {0};
	struct ip_address ip;
	uint8_t bytes[FRONTEND_NEIGHBOUR_MAC];
	char text[CONFIG_MAC_TEXT_MAX] = "";
	if (api_anonymize(a) == LOG_CLIENTS_WHOLE && ip_address_parse(address, &ip) == 0) {
		const struct config *c = config_of(a);
		(void)!client_book_find(
			api_client_book(a), ip.version, ip.bytes, time(NULL), &found);
		bool has_mac = mac_find(neighbours, &ip, bytes);
		if (has_mac || found.has_mac)
			memcpy(mac.bytes, has_mac ? bytes : found.mac, sizeof(mac.bytes));
		if (has_mac || found.has_mac) {
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

static void serve_clients(struct api *a, struct http_exchange *x)
{
	log_top_serve(a, x, clients_out);
}

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
	.endpoint = {{"/clients", serve_clients, API_GET, CONTROL_READ, "seconds client limit"},
		{"/clients/names", serve_names, API_GET, CONTROL_READ, ""}},
	.tables = clients_tables,
};
