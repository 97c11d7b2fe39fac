// SPDX-License-Identifier: BSD-3-Clause
// What a question is asked as, and whom: local CNAMEs, safe search and forwarding zones. The
// client's question stays what it is in L0 and for the client; upstreams and L1 see the name at the
// CNAMEs' end.
#include "policy/safe_search.h"
#include "resolver_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/clock.h>

enum { SAFE_CNAME_TTL_S = 300 };

const struct dns_name *question_asked(const struct question *q)
{
	return q->rewrite ? &q->rewrite->alias[q->rewrite->count - 1].target : &q->query.name;
}

int question_read(const struct resolver *r, const struct question *q, const uint8_t *msg,
	size_t len, struct dns_answer *out)
{
	const struct rewrite *w = q->rewrite;
	return w ? dns_answer_read_aliased(msg, len, question_asked(q), &q->query, w->alias,
		       w->count, &r->set.ttl.limits, out)
		 : dns_answer_read(msg, len, &q->query, &r->set.ttl.limits, out);
}

// Only as long as it has to be: most have one CNAME, and there may be many of them.
static struct rewrite *rewrite_keep(struct resolver *r, const struct rewrite *w)
{
	size_t size = offsetof(struct rewrite, alias) + w->count * sizeof(w->alias[0]);
	struct rewrite *kept = r->rewrites < RESOLVER_REWRITES_MAX ? malloc(size) : NULL;
	if (!kept) {
		r->count.refused_rewrites++;
		return NULL;
	}
	memcpy(kept, w, size);
	age_add(&r->rewrite_ages, &kept->age);
	if (++r->rewrites > r->rewrites_most)
		r->rewrites_most = r->rewrites;
	r->count.rewritten++;
	return kept;
}

// The CNAMEs are the whole answer.
static void alias_answer(struct resolver *r, struct question *q)
{
	struct dns_answer answer;
	struct answer_match finding;

	if (question_read(r, q, NULL, 0, &answer) < 0) {
		question_refuse(r, q, DNS_EDE_OTHER);
		return;
	}
	resolver_check_reply(r, &q->query, &answer, &finding);
	if (!q->def->no_cache)
		store_answer(r, q, &answer, &finding, clock_mono_ms());
	const struct dns_answer_view view = dns_answer_view_of(&answer);
	struct resolver_answer a = resolver_answer_fresh(r, &view, 0);
	a.finding = &finding;
	question_answered(r, q, &a);
}

static bool is_safe_type(uint16_t type)
{
	const struct rule_types *t = &safe_search_types;
	for (unsigned i = 0; i < t->count; i++)
		if (t->type[i] == type)
			return true;
	return false;
}

// The host of a search engine that a name stands for in a safe view, as one more CNAME.
static int safe_follow(const struct question *q, struct rewrite *w)
{
	const struct dns_name *name = w->count ? &w->alias[w->count - 1].target : &q->query.name;
	struct dns_name target;
	const char *text = NULL;

	if (q->def->is_safe && is_safe_type(q->query.qtype))
		text = safe_search_target(name, &q->def->safe);
	if (!text)
		return 0;
	if (dns_name_from_text(text, strlen(text), &target) < 0)
		return -EINVAL;
	return rewrite_add(w, target.wire, target.len, SAFE_CNAME_TTL_S);
}

// The DS of a zone is not where the rest of it is (RFC 4035 3.1.4.1).
static const struct forward_zone *zone_of_question(const struct resolver *r,
	const struct view *view, const struct dns_name *asked, uint16_t qtype)
{
	const struct forward_zone *zone = views_zone(r->views, view, asked);
	bool is_above = zone && qtype == DNS_TYPE_DS && zone->ds_is_above
			&& dns_name_equal(&zone->name, asked);
	return is_above ? views_zone(r->views, view, &zone->above) : zone;
}

uint64_t question_l1_hash(const struct resolver *r, const struct view *view,
	const struct dns_name *asked, uint16_t qtype)
{
	const struct forward_zone *zone = zone_of_question(r, view, asked, qtype);
	return zone ? zone->hash : view->hash;
}

bool question_direct(struct resolver *r, struct question *q)
{
	struct rewrite w;

	if (views_rewrite(r->views, q->def, &q->query.name, &w) < 0 || safe_follow(q, &w) < 0) {
		question_refuse(r, q, DNS_EDE_OTHER);
		return false;
	}
	if (w.count > 0) {
		q->rewrite = rewrite_keep(r, &w);
		if (!q->rewrite) {
			question_refuse(r, q, DNS_EDE_OTHER);
			return false;
		}
		trace_note(r, q->trace, TRACE_renamed, 0);
		if (q->query.qtype == DNS_TYPE_CNAME || q->query.qtype == DNS_TYPE_ANY) {
			alias_answer(r, q);
			return false;
		}
	}
	const struct dns_name *asked = question_asked(q);
	const struct forward_zone *zone = zone_of_question(r, q->def, asked, q->query.qtype);
	q->l1_hash = zone ? zone->hash : q->def->hash;
	q->turn = views_turn(r->views);
	if (zone) {
		q->forward = zone->set;
		q->forward->questions++;
		r->count.forwarded++;
		trace_note(r, q->trace, TRACE_forwarded, 0);
	}
	return true;
}

void question_direct_end(struct resolver *r, struct question *q)
{
	if (q->forward)
		q->forward->questions--;
	q->forward = NULL;
	if (q->rewrite) {
		age_remove(&r->rewrite_ages, &q->rewrite->age);
		r->rewrites--;
	}
	free(q->rewrite);
	q->rewrite = NULL;
}

void resolver_rewrite_tables(const struct resolver *r, struct table_registry *tables)
{
	table_register(tables,
		&(struct table_info){.name = "rewrites",
			.owner = "resolver loop",
			.eviction = "refuse: SERVFAIL",
			.lifetime = "life of the question",
			.cap = RESOLVER_REWRITES_MAX,
			.used = r->rewrites,
			.bytes = r->rewrites * sizeof(struct rewrite),
			.high = r->rewrites_most,
			.refused = r->count.refused_rewrites,
			.oldest_ms = table_age(age_since(&r->rewrite_ages), clock_mono_ms()),
			.has = TABLE_AGES | TABLE_REFUSES});
}
