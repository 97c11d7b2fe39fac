// SPDX-License-Identifier: BSD-3-Clause
#include "policy/safe_search.h"
#include "question.h"
#include "upstream/aaaa.h"

#include <errno.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

// Where a question goes: the name and type that weir asks for in place of the client's, and the
// servers. With DNS64 (upstream/aaaa.h) weir asks for the A records of a name without AAAA.

enum { SAFE_CNAME_TTL_S = 300 };

static bool is_aaaa(const struct question *q)
{
	return q->query.qtype == DNS_TYPE_AAAA && q->query.qclass == DNS_CLASS_IN;
}

// Only as long as it has to be: most have one CNAME, and there may be many of them. With the bytes
// of `before`.
static struct rewrite *rewrite_keep(
	struct resolver *r, const struct rewrite *w, const struct dns_name *asked)
{
	const size_t aliases = offsetof(struct rewrite, alias) + w->count * sizeof(w->alias[0]);
	const size_t size = aliases + w->before_len;
	struct rewrite *kept = r->rewrites < RESOLVER_REWRITES_MAX ? heap_malloc(size) : NULL;
	if (!kept) {
		r->count.refused_rewrites++;
		return NULL;
	}
	memcpy(kept, w, aliases);
	kept->asked = *asked;
	kept->bytes = size;
	if (w->before)
		kept->before = memcpy((uint8_t *)kept + aliases, w->before, w->before_len);
	age_add(&r->rewrite_ages, &kept->age);
	r->rewrite_bytes += size;
	if (++r->rewrites > r->rewrites_most)
		r->rewrites_most = r->rewrites;
	return kept;
}

static void rewrite_drop(struct resolver *r, struct rewrite *kept)
{
	if (!kept)
		return;
	age_remove(&r->rewrite_ages, &kept->age);
	r->rewrites--;
	r->rewrite_bytes -= kept->bytes;
	heap_free(kept);
}

static const struct dns_name *last_of(const struct dns_query *query, const struct rewrite *w)
{
	return w->count ? &w->alias[w->count - 1].target : &query->name;
}

// The host of a search engine that a name stands for in a safe view, as one more CNAME.
static int safe_follow(const struct view *view, const struct dns_query *query, struct rewrite *w)
{
	struct dns_name target;
	const char *text = NULL;

	if (view->is_safe && safe_search_has_type(query->qtype))
		text = safe_search_target(last_of(query, w), &view->safe);
	if (!text)
		return 0;
	if (dns_name_from_text(text, strlen(text), &target) < 0)
		return -EINVAL;
	return rewrite_add(w, target.wire, target.len, SAFE_CNAME_TTL_S);
}

// With DNS64 the name of an address in its prefix stands for that of an IPv4 address.
static int reverse_follow(const struct view *view, const struct dns_query *query, struct rewrite *w)
{
	struct dns_name target;

	if (query->qtype != DNS_TYPE_PTR || !view->ipv6.dns64.version
		|| !aaaa_reverse(&view->ipv6.dns64, last_of(query, w), &target))
		return 0;
	return rewrite_add(w, target.wire, target.len, AAAA_TTL_MAX_S);
}

// Local CNAMEs of the last name.
static int locals_follow(const struct resolver *r, const struct view *view,
	const struct dns_query *query, struct rewrite *w)
{
	struct rewrite more;
	int rc = views_rewrite(r->views, view, last_of(query, w), &more);
	for (unsigned i = 0; i < more.count && rc == 0; i++)
		rc = rewrite_add(
			w, more.alias[i].spelling, more.alias[i].target.len, more.alias[i].ttl_s);
	return rc;
}

// The names that weir asks for in place of the question's. One that it makes itself may have a
// local CNAME too.
static int follow(const struct resolver *r, const struct view *view, const struct dns_query *query,
	struct rewrite *w)
{
	unsigned known;

	w->count = 0;
	do {
		if (locals_follow(r, view, query, w) < 0)
			return -EINVAL;
		known = w->count;
		if (safe_follow(view, query, w) < 0 || reverse_follow(view, query, w) < 0)
			return -EINVAL;
	} while (w->count > known);
	return 0;
}

bool question_renames(const struct resolver *r, const struct view *view,
	const struct dns_name *name, uint16_t qtype)
{
	const struct dns_query query = {.name = *name, .qtype = qtype, .qclass = DNS_CLASS_IN};
	struct rewrite w;

	return follow(r, view, &query, &w) < 0 || w.count > 0;
}

static const struct upstreams *servers_of(
	const struct resolver *r, const struct view *view, const struct dns_query *query)
{
	struct rewrite w;

	if (follow(r, view, query, &w) < 0)
		return view->upstreams;
	const struct forward_zone *zone = question_zone(r, view, last_of(query, &w), query->qtype);
	return zone ? zone->set->upstreams : view->upstreams;
}

struct ip_address question_subnet(const struct resolver *r, const struct view *view,
	const struct dns_query *query, unsigned version, const uint8_t *address)
{
	return upstreams_subnet(servers_of(r, view, query), version, address);
}

bool question_sends_subnet(
	const struct resolver *r, const struct view *view, const struct dns_query *query)
{
	return r->set.sends_subnet && question_subnet(r, view, query, 4, NULL).version;
}

// The servers that weir asks for the name.
static void servers_take(struct question *q)
{
	struct resolver *r = q->owner;
	const struct forward_zone *zone =
		question_zone(r, q->def, question_asked(q), q->query.qtype);

	q->l1_hash = question_l1_hash_of(r, q->def, zone, q->query.qtype);
	if (!zone)
		return;
	q->forward = zone->set;
	q->forward->questions++;
	r->count.forwarded++;
	question_note(q, TRACE_forwarded, 0);
}

static void servers_leave(struct question *q)
{
	if (q->forward)
		q->forward->questions--;
	q->forward = NULL;
}

enum direction question_direct(struct question *q)
{
	struct resolver *r = q->owner;
	struct rewrite w;

	w.before = NULL;
	w.before_len = 0;
	if (follow(r, q->def, &q->query, &w) < 0)
		return DIRECT_REFUSE;
	if (w.count > 0) {
		q->rewrite = rewrite_keep(r, &w, &w.alias[w.count - 1].target);
		if (!q->rewrite)
			return DIRECT_REFUSE;
		r->count.rewritten++;
		question_note(q, TRACE_renamed, 0);
		if (q->query.qtype == DNS_TYPE_CNAME || q->query.qtype == DNS_TYPE_ANY)
			return DIRECT_ALIAS;
	}
	if (is_aaaa(q) && q->def->ipv6.filter_aaaa)
		return DIRECT_NO_AAAA;
	q->turn = views_turn(r->views);
	servers_take(q);
	return DIRECT_ASK;
}

bool question_direct_on(struct question *q, const struct dns_name *name, unsigned cnames,
	const uint8_t *before, size_t before_len)
{
	struct resolver *r = q->owner;
	struct dns_query query = q->query;
	struct rewrite w;

	w.before = before;
	w.before_len = before_len;
	query.name = *name;
	if (follow(r, q->def, &query, &w) < 0 || cnames + w.count > DNS_ANSWER_CNAME_MAX)
		return false;
	struct rewrite *kept = rewrite_keep(r, &w, w.count ? &w.alias[w.count - 1].target : name);
	if (!kept)
		return false;
	rewrite_drop(r, q->rewrite);
	q->rewrite = kept;
	servers_leave(q);
	servers_take(q);
	return true;
}

void question_direct_end(struct question *q)
{
	servers_leave(q);
	rewrite_drop(q->owner, q->rewrite);
	q->rewrite = NULL;
}

uint16_t question_asked_type(const struct question *q)
{
	return q->dns64_ttl_s ? DNS_TYPE_A : q->query.qtype;
}

const uint8_t *question_dns64_made(
	const struct question *q, const uint8_t *msg, size_t *len, uint8_t made[DNS_MESSAGE_MAX])
{
	if (!q->dns64_ttl_s)
		return msg;
	*len = aaaa_made(&q->dns64, msg, *len, q->dns64_ttl_s, made, DNS_MESSAGE_MAX);
	return made;
}

// DNS64 applies to who does not validate (RFC 6147 5.5), where there is no AAAA but may be an A.
static bool wants_a(const struct question *q, const uint8_t *msg, size_t len)
{
	const uint8_t validates = L0_KEY_DO | L0_KEY_CD;
	return is_aaaa(q) && q->def->ipv6.dns64.version && !q->dns64_ttl_s
	       && (q->key_flags & validates) != validates && aaaa_is_empty(msg, len);
}

bool question_dns64(
	struct question *q, const uint8_t *msg, size_t len, const struct dns_answer *no_aaaa)
{
	struct resolver *r = q->owner;
	bool is_known = no_aaaa->kind == DNS_ANSWER_NODATA && no_aaaa->auth_ttl_s;

	if (!wants_a(q, msg, len))
		return false;
	q->dns64_ttl_s = is_known ? no_aaaa->auth_ttl_s : AAAA_TTL_MAX_S;
	q->dns64 = q->def->ipv6.dns64;
	r->count.dns64++;
	question_note(q, TRACE_dns64, 0);
	upstream_ask_stop(&q->ask);
	question_ask(q);
	return true;
}

void question_tables(const struct resolver *r, struct table_registry *tables)
{
	table_register(tables,
		&(struct table_info){.name = "rewrites",
			.owner = "resolver loop",
			.eviction = "refuse: SERVFAIL",
			.lifetime = "life of the question",
			TABLE_WORK_FOR(5000),
			.cap = RESOLVER_REWRITES_MAX,
			.used = r->rewrites,
			.bytes = r->rewrite_bytes,
			.high = r->rewrites_most,
			.refused = r->count.refused_rewrites,
			.oldest_ms = table_age(age_since(&r->rewrite_ages), clock_mono_ms()),
			.has = TABLE_AGES | TABLE_REFUSES});
}
