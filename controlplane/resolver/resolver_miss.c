// SPDX-License-Identifier: BSD-3-Clause
#include "resolver_miss.h"

#include "base/leak_demo.h"
#include "question.h"
#include "resolver_answer.h"
#include "resolver_check.h"
#include "resolver_store.h"

#include <errno.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/dns_query.h>

enum { MORE_US_MAX = 100000 }; // a slow clock's tick is a twentieth of it

// A miss, checked and converted.
struct miss {
	struct dns_query query; // lower case
	struct l0_key key;
	struct waiter waiter;
	struct view *view;
	bool refresh;
};

static void miss_note(
	const struct resolver *r, const struct miss *m, enum trace_step step, uint32_t value)
{
	resolver_trace_note(r, m->waiter.trace, step, value);
}

// The ring is not trusted: the question goes through the same parser as in the data plane.
static bool miss_parse(
	struct resolver *r, const struct msg_miss *m, const uint8_t *question, struct miss *out)
{
	const unsigned cookie_len = m->has_opt & DNS_OPT_COOKIE ? DNS_COOKIE_LEN : 0;
	uint8_t msg[DNS_HEADER_LEN + UPSTREAM_QUESTION_MAX] = {0};

	if (m->question_len > UPSTREAM_QUESTION_MAX
		|| (m->kind != MISS_WAITER && m->kind != MISS_REFRESH)
		|| m->group >= POLICY_GROUPS_MAX || (m->whole_len && m->whole_len != m->query_len))
		return false;
	put_u16(msg, m->id);
	put_u16(msg + 2, m->flags);
	put_u16(msg + 4, 1);
	memcpy(msg + DNS_HEADER_LEN, question, m->question_len);
	if (dns_query_parse(msg, DNS_HEADER_LEN + (size_t)m->question_len, &out->query)
			!= DNS_QUERY_OK
		|| out->query.question_len != m->question_len
		|| dns_served_question(&out->query) != DNS_SERVED)
		return false;
	out->query.dnssec_ok = m->dnssec_ok;
	l0_key_of_query(l0_writer_reader(r->l0), &out->query, m->view, &out->key);
	l0_prefetch_bucket(l0_writer_reader(r->l0), out->key.hash);
	out->refresh = m->kind == MISS_REFRESH;
	out->waiter = (struct waiter){
		.path = m->path,
		.id = m->id,
		.flags = m->flags,
		.udp_size = m->udp_size < DNS_UDP_PLAIN_MAX ? DNS_UDP_PLAIN_MAX : m->udp_size,
		.has_opt = m->has_opt & DNS_OPT_PLAIN ? m->has_opt & DNS_OPT_ALL : DNS_OPT_NONE,
		.dnssec_ok = m->dnssec_ok != 0,
		.group = m->group,
		.policy = m->policy,
		.client = inflight_client(r->inflight, m->path.ip_version, m->path.client_ip),
		.dp_incarnation = m->dp_incarnation,
		.arrival_ms = m->arrival_ms,
		.arrival_more_us = m->arrival_more_us < MORE_US_MAX ? m->arrival_more_us : 0,
		.query_len = m->query_len,
		.query = m->whole_len ? question + m->question_len + cookie_len : NULL,
	};
	memcpy(out->waiter.cookie, question + m->question_len, cookie_len);
	out->view = views_find(r->views, m->view);
	if (!out->view)
		return false;
	inflight_keep_case(&out->waiter, question, out->query.name.len);
	return true;
}

static trace_handle miss_trace(
	struct resolver *r, const struct msg_miss *m, const struct dns_query *q)
{
	struct trace t = {.number = m->trace,
		.worker = m->path.worker,
		.verdict = VERDICT_miss,
		.ip_version = m->path.ip_version == 6 ? 6 : 4,
		.client_port = be16toh(m->path.client_udp),
		.arrival_us = m->arrival_ms * 1000 + m->arrival_more_us};
	memcpy(t.client, m->path.client_ip, sizeof(t.client));
	return resolver_trace_start(r, &t, q);
}

// No upstream may be asked: the stale record if there is one, else SERVFAIL.
static void miss_refuse(
	struct resolver *r, const struct miss *m, const struct l0_view *stale, int ede)
{
	struct answer_match finding;

	if (stale)
		resolver_check_record(r, stale, &finding);
	struct resolver_answer a = stale ? resolver_answer_stale_record(r, stale, &finding)
					 : resolver_answer_servfail(ede);
	resolver_answer_one(r, &m->query, &m->waiter, &a);
}

// A worker would have asked for a new copy (stage_lookup.c); the plan knows whether one is due.
static void miss_refresh(
	struct resolver *r, const struct miss *m, const struct l0_view *v, uint64_t now_ms)
{
	uint64_t age_ms = now_ms > v->created_ms ? now_ms - v->created_ms : 0;
	if (m->waiter.is_client && age_ms >= v->stale_until_ms
		&& (age_ms >= v->soft_ms || age_ms >= v->refresh_ms))
		refresh_hit(r->refresh, &m->key, now_ms);
}

// Filled, or stamped as stale, since the worker looked, or a frontend's clients are the first
// to look: true when that settles the miss.
static bool miss_cached(struct resolver *r, const struct miss *m, const struct l0_view *v,
	const struct answer_match *finding, uint64_t now_ms)
{
	uint64_t age_ms = now_ms > v->created_ms ? now_ms - v->created_ms : 0;
	enum l0_age age = l0_age_of(v, now_ms);
	bool stale_too =
		age_ms < v->stale_until_ms || (m->waiter.is_client && r->set.stale_immediate);
	struct resolver_answer a;

	if (age == L0_FRESH) {
		miss_note(r, m, TRACE_l0_hit, (uint32_t)(age_ms / 1000));
		a = resolver_answer_fresh(r, &v->answer, (uint32_t)(age_ms / 1000));
		a.kind = ANSWER_CACHED;
		a.finding = finding;
	} else if (age == L0_SOFT_EXPIRED && stale_too) {
		miss_note(r, m, TRACE_l0_stale, (uint32_t)(age_ms / 1000));
		a = resolver_answer_stale_record(r, v, finding);
	} else {
		return false;
	}
	resolver_answer_one(r, &m->query, &m->waiter, &a);
	miss_refresh(r, m, v, now_ms);
	return true;
}

// Adds the client as a waiter. DNS_EDE_NONE: it waits, or is dropped; else the EDE of its SERVFAIL.
static int miss_wait(struct resolver *r, const struct miss *m, struct question *q)
{
	int rc = inflight_wait(r->inflight, q, &m->waiter, r->set.waiters);

	q->hits += q->hits < UINT16_MAX;
	if (rc == 0) {
		if (unlikely_(m->waiter.trace))
			traces_join(r->traces, &q->trace, m->waiter.trace);
		return DNS_EDE_NONE;
	}
	miss_note(r, m, TRACE_refused, 0);
	if (rc == -EUSERS)
		return DNS_EDE_OTHER;
	// One of a thousand that ask the same: its retry will hit. Over a stream there is none.
	if (rc != -EDQUOT || m->waiter.is_client)
		return DNS_EDE_NO_REACHABLE_AUTHORITY;
	resolver_answer_none(r, &m->query, &m->waiter);
	return DNS_EDE_NONE;
}

// Joins a question that is being resolved.
static int miss_join(struct resolver *r, const struct miss *m, struct question *q)
{
	r->count.coalesced++;
	if (unlikely_(m->waiter.trace))
		traces_note(r->traces, m->waiter.trace, TRACE_joined, q->ask.sends, q->waiters);
	return q->stage == STAGE_BACKGROUND ? DNS_EDE_NO_REACHABLE_AUTHORITY : miss_wait(r, m, q);
}

static int miss_begin(struct resolver *r, const struct miss *m, uint64_t now_ms)
{
	struct question *q;
	int rc = inflight_add(r->inflight, &m->key, &m->query, false, &q);

	if (rc < 0) {
		miss_note(r, m, TRACE_refused, 0);
		return DNS_EDE_NO_REACHABLE_AUTHORITY;
	}
	miss_note(r, m, TRACE_began, 0);
	q->owner = r;
	q->def = m->view;
	q->born_ms = m->waiter.arrival_ms < now_ms ? m->waiter.arrival_ms : now_ms;
	int ede = miss_wait(r, m, q);
	if (q->waiters == 0) {
		inflight_remove(r->inflight, q);
		return ede;
	}
	question_start(q, now_ms);
	return DNS_EDE_NONE;
}

// The same answer for the type asked now, so that workers have it too. Copies its bytes first: the
// store may overwrite them.
static void nxdomain_keep(struct resolver *r, const struct l0_key *key, const struct l0_view *v,
	const struct answer_match *finding)
{
	struct dns_answer copy;
	struct rule_set mask;
	struct l0_put put = {
		.key = *key,
		.answer = v->answer,
		.created_ms = v->created_ms,
		.soft_ms = v->soft_ms,
		.hard_ms = v->hard_ms,
		.refresh_ms = v->refresh_ms,
		.auth_ttl_s = v->auth_ttl_s,
		.hits = 1,
		.mask = &mask,
	};

	memcpy(copy.bytes, v->answer.bytes, v->answer.len);
	for (unsigned i = 0; i < v->answer.ttl_count; i++)
		copy.ttl_off[i] = (uint16_t)dns_answer_ttl_at(&v->answer, i);
	put.answer.bytes = copy.bytes;
	put.answer.ttl_off = copy.ttl_off;
	put.answer.ttl_step = 0;
	if (resolver_check_mask(r, finding, &mask) && l0_writer_put(r->l0, &put) == 0)
		r->count.stored++;
}

// NXDOMAIN for A holds for all types (RFC 2308 5, RFC 8020), except for DS, which is a record of
// the zone above (RFC 4035 3.1.4.1), and that zone's to deny. NXDOMAIN for AAAA holds for AAAA
// alone: some servers send it for an AAAA that they do not have (RFC 4074 4.2). Rules may be for
// one type, so the answer is checked for the type of this query.
static bool miss_no_name(struct resolver *r, const struct miss *m, uint64_t now_ms)
{
	struct dns_query a = m->query;
	struct answer_match finding;
	struct l0_key key;
	struct l0_view v;

	if (m->query.qtype == DNS_TYPE_A || m->query.qtype == DNS_TYPE_DS || m->view->no_cache)
		return false;
	a.qtype = DNS_TYPE_A;
	l0_key_of_query(l0_writer_reader(r->l0), &a, m->key.view, &key);
	if (!store_find(r, &key, &v) || v.answer.rcode != DNS_RCODE_NXDOMAIN
		|| v.answer.ancount != 0 || l0_age_of(&v, now_ms) != L0_FRESH)
		return false;
	resolver_check_answer(r, &m->query, &v.answer, &finding);
	if (!miss_cached(r, m, &v, &finding, now_ms))
		return false;
	nxdomain_keep(r, &m->key, &v, &finding);
	return true;
}

// Answers the client if a pattern blocks the name for it.
static bool miss_blocked(struct resolver *r, const struct miss *m)
{
	struct answer_match finding;

	if (!r->answer_policy || !answer_policy_concerns_names(r->answer_policy))
		return false;
	answer_policy_question(r->answer_policy, ANSWER_POLICY_ON_RESOLVER, &m->query.name,
		m->query.qtype, &finding);
	struct dns_block block;
	uint16_t list;
	if (!resolver_check_blocks(r, &m->query, &m->waiter, &finding, &list, &block))
		return false;
	const struct resolver_answer a = {.finding = &finding};
	r->count.answer_policy.questions_blocked++;
	resolver_answer_one(r, &m->query, &m->waiter, &a);
	return true;
}

// A question that is not blocked by its name.
static void miss_resolve(struct resolver *r, const struct miss *m, uint64_t now_ms)
{
	struct answer_match finding;
	struct l0_view v;

	if (miss_blocked(r, m))
		return;
	bool found = !m->view->no_cache && store_find(r, &m->key, &v);
	if (found)
		resolver_check_record(r, &v, &finding);
	if (found && miss_cached(r, m, &v, &finding, now_ms)) {
		l0_writer_heat_add(r->l0, &m->key, 1);
		return;
	}
	if (miss_no_name(r, m, now_ms)) {
		miss_note(r, m, TRACE_no_such_name, 0);
		return;
	}
	miss_note(r, m, TRACE_l0_miss, 0);
	const struct l0_view *stale = found && store_usable(&v, now_ms) ? &v : NULL;
	if (stale)
		refresh_missed(r->refresh, &m->key, stale, now_ms);
	const bool failed = failures_recent(r->failures, m->key.hash, now_ms);
	if (failed || r->is_off) {
		r->count.failed_recently += failed;
		miss_note(r, m, failed ? TRACE_failed_recently : TRACE_resolver_off, 0);
		miss_refuse(r, m, stale, DNS_EDE_CACHED_ERROR);
		return;
	}
	LEAK_DEMO(map, 300);
	struct question *q = inflight_find(r->inflight, &m->key);
	int ede = q ? miss_join(r, m, q) : miss_begin(r, m, now_ms);
	if (ede != DNS_EDE_NONE)
		miss_refuse(r, m, stale, ede);
}

void resolver_miss(void *resolver, const struct msg_miss *msg, const uint8_t *question)
{
	struct resolver *r = resolver;
	struct miss m;
	uint64_t now_ms = clock_mono_ms();

	r->count.misses++;
	if (!miss_parse(r, msg, question, &m)) {
		r->count.bad_misses++;
		return;
	}
	r->count.refreshes += m.refresh;
	if (unlikely_(msg->trace))
		m.waiter.trace = miss_trace(r, msg, &m.query);
	// Its client has asked again or given up; working for it would only add to the backlog.
	if (now_ms >= m.waiter.arrival_ms + SERVFAIL_AFTER_MS) {
		r->count.late++;
		miss_note(r, &m, TRACE_expired, 0);
		if (m.refresh)
			store_refreshed(r, &m.key); // or no worker would request it again
		else
			resolver_answer_none(r, &m.query, &m.waiter);
	} else if (m.refresh) {
		refresh_hit(r->refresh, &m.key, now_ms);
	} else {
		miss_resolve(r, &m, now_ms);
	}
	if (unlikely_(m.waiter.trace))
		traces_settle(r->traces, m.waiter.trace);
}

void resolver_ask(
	struct resolver *r, const struct dns_query *q, uint16_t view, const struct waiter *w)
{
	struct miss m = {.query = *q, .waiter = *w, .view = views_find(r->views, view)};

	l0_key_of_query(l0_writer_reader(r->l0), &m.query, view, &m.key);
	if (m.view)
		miss_resolve(r, &m, w->arrival_ms);
	else
		miss_refuse(r, &m, NULL, DNS_EDE_OTHER);
}
