// SPDX-License-Identifier: BSD-3-Clause
// Endpoints of the answer cache: what it holds of a name, and flushing.

#include "api_internal.h"
#include "rdata_text.h"

#include <stdlib.h>
#include <weir/l0_table.h>

static void records_out(struct json_out *o, struct json_node *entry, const struct cache_entry *e)
{
	struct json_node *list = json_out_array(o, entry, "records");
	struct rd msg = rd_init(e->answer, e->answer_len);
	uint16_t ancount;
	bool whole = rdata_answer_begin(&msg, &ancount);
	for (unsigned i = 0; whole && i < ancount; i++) {
		struct rdata_record r;
		char name[DNS_NAME_TEXT_MAX], type[DNS_TYPE_TEXT_MAX];
		whole = rdata_record_read(&msg, &r);
		if (!whole)
			break;
		struct json_node *n = json_out_object(o, list, NULL);
		json_out_text(o, n, "name", dns_name_to_text(&r.name, name));
		json_out_count(o, n, "ttl", r.ttl_s);
		json_out_text(o, n, "type", dns_type_text(r.type, type));
		json_out_text(o, n, "data", r.data);
	}
	json_out_bool(o, entry, "records_complete", whole);
}

static void entry_out(struct json_out *o, struct json_node *list, const struct cache_entry *e)
{
	static const char *const heats[] = {
		[REFRESH_COLD] = "cold", [REFRESH_WARM] = "warm", [REFRESH_HOT] = "hot"};
	char type[DNS_TYPE_TEXT_MAX];
	struct json_node *n = json_out_object(o, list, NULL);
	json_out_text(o, n, "type", dns_type_text(e->qtype, type));
	json_out_count(o, n, "class", e->qclass);
	json_out_count(o, n, "view", e->view);
	json_out_bool(o, n, "do", e->key_flags & L0_KEY_DO);
	json_out_bool(o, n, "cd", e->key_flags & L0_KEY_CD);
	json_out_text(o, n, "rcode", dns_rcode_text(e->rcode));
	json_out_count(o, n, "answer_count", e->ancount);
	json_out_count(o, n, "authority_count", e->nscount);
	json_out_count(o, n, "additional_count", e->arcount);
	json_out_count(o, n, "bytes", (uint64_t)e->units * L0_UNIT);
	json_out_count(o, n, "message_bytes", e->message_len);
	json_out_count(o, n, "age_ms", e->age_ms);
	json_out_signed(o, n, "soft_left_ms", e->soft_left_ms);
	json_out_signed(o, n, "hard_left_ms", e->hard_left_ms);
	json_out_count(o, n, "authoritative_ttl", e->auth_ttl_s);
	json_out_bool(o, n, "visited", e->visited);
	json_out_count(o, n, "hits_per_minute", e->hits_per_minute);
	json_out_text(o, n, "heat", heats[e->heat]);
	if (e->refresh_left_ms != INT64_MAX)
		json_out_signed(o, n, "refresh_left_ms", e->refresh_left_ms);
	records_out(o, n, e);
}

static void on_entries(void *arg, int err, const struct cache_entry *entries, unsigned count)
{
	if (err < 0) {
		api_busy(arg, err);
		return;
	}
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	struct json_node *list = json_out_array(o, root, "entries");
	for (unsigned i = 0; i < count && i < CACHE_GET_MAX; i++)
		entry_out(o, list, &entries[i]);
	http_reply(arg, 200, json_out_finish(o));
}

void api_cache_get(struct api *a, struct http_exchange *x)
{
	struct dns_name name;
	if (!api_name(x, &name))
		return;
	http_defer(x, API_FLUSH_MS);
	int ret = resolver_cache_get(a->deps.resolver, &name, a->deps.service, on_entries, x);
	if (ret < 0)
		api_busy(x, ret);
}

static void on_flushed(void *arg, int err, uint64_t deleted)
{
	if (err < 0) {
		api_busy(arg, err);
		return;
	}
	struct json_out *o = json_out_new();
	json_out_count(o, json_out_root(o), "deleted", deleted);
	http_reply(arg, 200, json_out_finish(o));
}

void api_cache_flush(struct api *a, struct http_exchange *x)
{
	struct dns_name name;
	bool subtree;
	if (!api_name(x, &name) || !api_flag(x, "subtree", &subtree))
		return;
	http_defer(x, API_FLUSH_MS);
	int ret = resolver_cache_flush(
		a->deps.resolver, &name, subtree, a->deps.service, on_flushed, x);
	if (ret < 0)
		api_busy(x, ret);
}
