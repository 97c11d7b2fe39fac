// SPDX-License-Identifier: BSD-3-Clause
// Endpoint that searches the query store, a page at a time: weirctl asks again with the place that
// a page ended at, so that no state is kept between two pages, and an export of any length takes
// the memory of one page. Files are read on a helper thread (job_runner.h).

#include "api_param.h"
#include "base/rdata_text.h"
#include "querylog/store/query_folder.h"
#include "querylog/store/query_search.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/heap_site.h>

struct log_call {
	struct http_exchange *exchange;
	char folder[PATH_MAX];
	struct query_filter filter;
	char unknown_client[API_WHY_MAX];
	struct query_outcome outcome;
	struct json_out *out;
	struct json_node *rows;
};

static void row_out(void *arg, const struct query_found *f)
{
	struct log_call *c = arg;
	struct json_out *o = c->out;
	char type[DNS_TYPE_TEXT_MAX];
	struct json_node *n = json_out_object(o, c->rows, NULL);
	json_out_signed(o, n, "time_us", f->raw.time_us);
	json_out_signed(o, n, "weight", f->raw.weight);
	json_out_text(o, n, "box", f->kind.box);
	json_out_text(o, n, "client", f->client.address);
	json_out_signed(o, n, "client_port", f->raw.port);
	json_out_text(o, n, "client_name", f->client.name);
	json_out_text(o, n, "client_group", f->client.group);
	json_out_text(o, n, "qname", f->name);
	json_out_text(o, n, "qtype", dns_type_text((uint16_t)f->kind.qtype, type));
	json_out_signed(o, n, "qclass", f->kind.qclass);
	json_out_text(o, n, "transport", f->kind.transport);
	json_out_text(o, n, "verdict", f->kind.verdict);
	json_out_text(o, n, "tier", f->kind.tier);
	json_out_bool(o, n, "answered", f->kind.answered);
	json_out_bool(o, n, "blocked", f->kind.blocked);
	json_out_signed(o, n, "rcode", f->kind.rcode);
	json_out_text(o, n, "rcode_text",
		f->kind.answered ? dns_rcode_text((uint16_t)f->kind.rcode) : "");
	json_out_signed(o, n, "ede", f->kind.ede == UINT16_MAX ? -1 : f->kind.ede);
	json_out_text(o, n, "validation", f->kind.validation);
	json_out_text(o, n, "list", f->kind.list);
	json_out_text(o, n, "upstream", f->kind.upstream);
	json_out_signed(o, n, "dataplane_us", f->raw.dataplane_us);
	json_out_signed(o, n, "total_us", f->raw.total_us);
	json_out_signed(o, n, "query_len", f->raw.query_len);
	json_out_signed(o, n, "reply_len", f->raw.reply_len);
}

static int search_work(void *arg, const _Atomic bool *stop)
{
	struct log_call *c = arg;
	return query_search(c->folder, &c->filter, stop, row_out, c, &c->outcome);
}

static void unread_out(struct log_call *c, struct json_node *list)
{
	const struct query_outcome *o = &c->outcome;
	char path[PATH_MAX];
	for (unsigned i = 0; i < o->unreadable && i < QUERY_UNREAD_MAX; i++) {
		const struct query_unread *u = &o->unread[i];
		if (query_folder_path(c->folder, u->hour, u->part, path))
			continue;
		struct json_node *n = json_out_object(c->out, list, NULL);
		json_out_text(c->out, n, "file", path);
		json_out_text(c->out, n, "why",
			u->err == -EUCLEAN ? "damaged, or not written by weir" : strerror(-u->err));
	}
}

static void on_searched(void *arg, int err)
{
	struct log_call *c = arg;
	char place[QUERY_PLACE_MAX] = "";
	struct json_node *root = json_out_root(c->out);
	if (err) {
		heap_free(json_out_finish(c->out));
		api_busy(c->exchange, err);
		heap_free(c);
		return;
	}
	if (!c->outcome.complete)
		query_place_print(&c->outcome.place, place);
	json_out_bool(c->out, root, "complete", c->outcome.complete);
	json_out_text(c->out, root, "after", place);
	json_out_text(c->out, root, "unknown_client", c->unknown_client);
	json_out_signed(c->out, root, "reached_us", c->outcome.reached_us);
	json_out_count(c->out, root, "looked_at", c->outcome.looked_at);
	json_out_count(c->out, root, "ruled_out_files", c->outcome.ruled_out);
	json_out_count(c->out, root, "unreadable_files", c->outcome.unreadable);
	unread_out(c, json_out_array(c->out, root, "unreadable"));
	http_reply(c->exchange, 200, json_out_finish(c->out));
	heap_free(c);
}

// Microseconds since 1970, digits alone; absent: `out` stays. False: it has been replied to.
static bool time_take(struct http_exchange *x, const char *param, int64_t *out)
{
	const char *text = http_param(x, param);
	if (!text)
		return true;
	size_t len = strlen(text);
	if (!len || len > 18 || strspn(text, "0123456789") != len) {
		api_refuse(x, 400, "%s: must be microseconds since 1970", param);
		return false;
	}
	*out = strtoll(text, NULL, 10);
	return true;
}

static bool filter_take(const struct api *a, struct http_exchange *x, struct query_filter *f,
	char unknown_client[API_WHY_MAX])
{
	const char *after = http_param(x, "after");
	bool oldest_first;
	*f = (struct query_filter){.until_us = INT64_MAX, .for_ms = QUERY_SEARCH_MS};
	if (!api_param_flag(x, "oldest_first", &oldest_first)
		|| !api_param_number(x, "limit", QUERY_SEARCH_ROWS_MAX, &f->rows)
		|| !api_param_log_name(x, f->name)
		|| !api_param_past_client(a, x, f->client, unknown_client)
		|| !api_param_part(x, f->part) || !api_param_group(a, x, f->group)
		|| !api_param_rcode(x, &f->has_rcode, &f->rcode)
		|| !api_param_verdict(x, f->verdict) || !api_param_validation(x, f->validation)
		|| !time_take(x, "since", &f->since_us) || !time_take(x, "until", &f->until_us))
		return false;
	f->newest_first = !oldest_first;
	if (after && !query_place_parse(after, &f->after)) {
		api_refuse(x, 400, "after: is no place");
		return false;
	}
	return true;
}

static void serve_log_search(struct api *a, struct http_exchange *x)
{
	struct query_filter filter;
	char unknown_client[API_WHY_MAX];
	if (!filter_take(a, x, &filter, unknown_client))
		return;
	if (!a->deps.store) {
		api_refuse(x, 409, "the query store is off (query_log.store.enabled)");
		return;
	}
	struct log_call *c = heap_calloc(1, sizeof(*c));
	if (!c) {
		http_reply(x, 500, NULL);
		return;
	}
	c->exchange = x;
	c->filter = filter;
	memcpy(c->unknown_client, unknown_client, sizeof(c->unknown_client));
	snprintf(c->folder, sizeof(c->folder), "%s", query_store_folder(a->deps.store));
	c->out = json_out_new();
	c->rows = json_out_array(c->out, json_out_root(c->out), "rows");
	http_defer(x, API_FLUSH_MS);
	int err = job_runner_start(a->searches, http_right(x), search_work, on_searched, c);
	if (err)
		on_searched(c, err);
}

const struct api_part api_log_search_part = {
	.endpoint = {{"/log/search", serve_log_search, API_GET, CONTROL_READ,
		"limit name part client group verdict validation rcode since until oldest_first "
		"after"}}};
