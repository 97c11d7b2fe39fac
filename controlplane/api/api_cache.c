// SPDX-License-Identifier: BSD-3-Clause
// Endpoints of the answer cache: what both tiers hold of a name, and flushing.

#include "api_param.h"
#include "base/rdata_text.h"

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
	char type[DNS_TYPE_TEXT_MAX], subnet[SOCKET_ADDRESS_TEXT_MAX];
	struct json_node *n = json_out_object(o, list, NULL);
	json_out_text(o, n, "tier", e->in_l1 ? "L1" : "L0");
	json_out_text(o, n, "type", dns_type_text(e->qtype, type));
	json_out_count(o, n, "class", e->qclass);
	json_out_count(o, n, "view", e->view);
	if (e->subnet.version)
		json_out_text(o, n, "subnet", ip_address_text(&e->subnet, true, subnet));
	json_out_bool(o, n, "do", e->key_flags & L0_KEY_DO);
	json_out_bool(o, n, "cd", e->key_flags & L0_KEY_CD);
	json_out_text(o, n, "rcode", dns_rcode_text(e->rcode));
	json_out_count(o, n, "answer_count", e->ancount);
	json_out_count(o, n, "authority_count", e->nscount);
	json_out_count(o, n, "additional_count", e->arcount);
	json_out_count(o, n, "units", e->units);
	json_out_count(o, n, "bytes", (uint64_t)e->units * L0_UNIT);
	json_out_count(o, n, "message_bytes", e->message_len);
	json_out_count(o, n, "age_ms", e->age_ms);
	json_out_signed(o, n, "soft_left_ms", e->soft_left_ms);
	json_out_signed(o, n, "hard_left_ms", e->hard_left_ms);
	json_out_count(o, n, "authoritative_ttl", e->auth_ttl_s);
	json_out_bool(o, n, "visited", e->visited);
	json_out_count(o, n, "hits_per_minute", e->hits_per_minute);
	json_out_text(o, n, "heat", heats[e->heat]);
	json_out_bool(o, n, "refresh_asked", e->refresh_asked);
	json_out_bool(o, n, "inflight", e->inflight);
	json_out_bool(o, n, "held_back", e->held_back);
	if (e->refresh_left_ms != INT64_MAX)
		json_out_signed(o, n, "refresh_left_ms", e->refresh_left_ms);
	records_out(o, n, e);
}

static void l1_out(struct json_out *o, struct json_node *root, const struct cache_look *look)
{
	struct json_node *n = json_out_object(o, root, "l1");
	char type[DNS_TYPE_TEXT_MAX];
	json_out_count(o, n, "asked", look->l1_asked);
	json_out_count(o, n, "views", look->l1_views);
	json_out_count(o, n, "lost", look->l1_lost);
	json_out_count(o, n, "bad", look->l1_bad);
	struct json_node *types = json_out_array(o, n, "types");
	for (unsigned i = 0; i < look->l1_type_count; i++)
		json_out_text(o, types, NULL, dns_type_text(look->l1_types[i], type));
}

static void on_looked(void *arg, int err, const struct cache_look *look)
{
	if (err < 0) {
		api_busy(arg, err);
		return;
	}
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	struct json_node *list = json_out_array(o, root, "entries");
	for (unsigned i = 0; i < look->count && i < 2 * CACHE_GET_MAX; i++)
		entry_out(o, list, &look->entry[i]);
	json_out_count(o, root, "entries_left_out", look->left_out);
	l1_out(o, root, look);
	json_out_count(o, root, "resolvers_hung", look->hung);
	http_reply(arg, 200, json_out_finish(o));
}

static bool lives(const void *exchange)
{
	return http_is_live(exchange);
}

static void serve_cache_get(struct api *a, struct http_exchange *x)
{
	struct cache_wish wish = {
		.from = http_source(x)->ss_family == AF_UNIX ? LOOK_SOCKET : LOOK_NETWORK,
		.lives = lives};
	const char *type = http_param(x, "type");
	if (!api_param_name(x, &wish.name))
		return;
	if (type && !dns_type_from_text(type, &wish.qtype)) {
		api_refuse(x, 400, "type: is not a record type");
		return;
	}
	http_defer(x, API_FLUSH_MS);
	int rc = resolvers_cache_get(a->deps.resolvers, &wish, a->deps.service, on_looked, x);
	if (rc < 0)
		api_busy(x, rc);
}

static void on_flushed(void *arg, int err, const struct cache_flushed *f)
{
	static const char *const ends[] = {[L1_FLUSH_DONE] = "done",
		[L1_FLUSH_PARTLY] = "partly",
		[L1_FLUSH_AWAY] = "away",
		[L1_FLUSH_OFF] = "off"};
	if (err < 0) {
		api_busy(arg, err);
		return;
	}
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	json_out_count(o, root, "l0_removed", f->l0);
	json_out_count(o, root, "l1_removed", f->l1);
	json_out_text(o, root, "l1", ends[f->l1_end]);
	json_out_bool(o, root, "boxes_told", f->told);
	json_out_bool(o, root, "recursion_failed", f->recursion_failed);
	json_out_count(o, root, "resolvers_hung", f->hung);
	http_reply(arg, 200, json_out_finish(o));
}

// Reads what to flush: a name, all below it, or all. False: the reply is sent.
static bool flush_take(struct http_exchange *x, struct flush *out)
{
	bool below, all;
	if (!api_param_flag(x, "below", &below) || !api_param_flag(x, "all", &all))
		return false;
	if (!all) {
		out->kind = below ? FLUSH_BELOW : FLUSH_NAME;
		return api_param_name(x, &out->name);
	}
	if (below || http_param(x, "name")) {
		api_refuse(x, 400, "all: leaves nothing for name and below to say");
		return false;
	}
	*out = (struct flush){.kind = FLUSH_ALL};
	return dns_name_from_text(".", 1, &out->name) == 0;
}

static void serve_cache_flush(struct api *a, struct http_exchange *x)
{
	struct flush what;
	if (!flush_take(x, &what))
		return;
	http_defer(x, API_CACHE_FLUSH_MS); // RECURSOR_DRAIN_MS and L1_FLUSH_MAX_MS
	int rc = resolvers_cache_flush(
		a->deps.resolvers, &what, true, a->deps.service, on_flushed, x);
	if (rc < 0)
		api_busy(x, rc);
}

const struct api_part api_cache_part = {
	.endpoint = {{"/cache", serve_cache_get, API_GET, CONTROL_READ, "name type"},
		{"/cache/flush", serve_cache_flush, API_POST, CONTROL_OPERATE, "name below all"}},
};
