// SPDX-License-Identifier: BSD-3-Clause

#include "base/leak_demo.h"
#include "lists/fetch/list_notify.h"
#include "miss.h"
#include "question.h"
#include "resolver_check.h"
#include "resolver_store.h"

#include <string.h>
#include <weir/clock.h>
#include <weir/dns_query.h>

enum { MORE_US_MAX = 100000 }; // a slow clock's tick is a twentieth of it

// What servers get of the client's address. A client that lets fewer bits be sent than they would
// get is one that hides it: so its answer is not for others, who let theirs be sent.
static struct ip_address miss_subnet(const struct resolver *r, const struct msg_miss *m,
	const struct view *view, const struct dns_query *query)
{
	const struct ip_address all =
		question_subnet(r, view, query, m->path.ip_version, m->path.client_ip);

	return dns_opt_allows_subnet(m->has_opt, all.prefix_len)
		       ? all
		       : question_subnet(r, view, query, m->path.ip_version, NULL);
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
	out->client_ip = m->path.client_ip;
	out->ip_version = m->path.ip_version;
	out->waiter = (struct waiter){
		.path = m->path,
		.id = m->id,
		.flags = m->flags,
		.udp_size = m->udp_size < DNS_UDP_PLAIN_MAX ? DNS_UDP_PLAIN_MAX : m->udp_size,
		.has_opt = m->has_opt & DNS_OPT_PLAIN ? m->has_opt & DNS_OPT_ALL : DNS_OPT_NONE,
		.dnssec_ok = m->dnssec_ok != 0,
		.group = m->group,
		.policy = m->policy,
		.crowd = client_crowd(m->path.ip_version, m->path.client_ip),
		.client = inflight_client(r->inflight, m->path.ip_version, m->path.client_ip),
		.is_exempt = exempt_has_client(
			inflight_exempt(r->inflight), m->path.ip_version, m->path.client_ip),
		.dp_incarnation = m->dp_incarnation,
		.arrival_ms = m->arrival_ms,
		.arrival_more_us = m->arrival_more_us < MORE_US_MAX ? m->arrival_more_us : 0,
		.query_len = m->query_len,
		.query = m->whole_len ? question + m->question_len + cookie_len : NULL,
	};
	memcpy(out->waiter.cookie, question + m->question_len, cookie_len);
	out->view = views_find(r->views, m->view);
	out->subnet = (struct ip_address){0};
	if (unlikely_(r->set.sends_subnet) && out->view && !out->refresh)
		out->subnet = miss_subnet(r, m, out->view, &out->query);
	inflight_keep_case(&out->waiter, question, out->query.name.len);
	return true;
}

static trace_handle miss_trace(struct resolver *r, const struct msg_miss *m,
	const struct dns_query *q, uint16_t worker, bool is_tcp)
{
	struct trace t = {.number = m->trace,
		.worker = worker,
		.is_tcp = is_tcp,
		.verdict = VERDICT_miss,
		.ip_version = m->path.ip_version == 6 ? 6 : 4,
		.client_port = be16toh(m->path.client_udp),
		.arrival_us = m->arrival_ms * 1000 + m->arrival_more_us};
	memcpy(t.client, m->path.client_ip, sizeof(t.client));
	return resolver_trace_start(r, &t, q);
}

static uint32_t subnet_bits(const struct l0_view *v)
{
	struct ip_address subnet;
	(void)subnet_of_record(v, &subnet);
	return subnet.prefix_len;
}

// Filled, or stamped as stale, since the worker or the frontend looked: true when that settles the
// miss.
static bool miss_cached(struct resolver *r, const struct miss *m, const struct l0_view *v,
	const struct answer_match *finding, uint64_t now_ms)
{
	uint64_t age_ms = now_ms > v->created_ms ? now_ms - v->created_ms : 0;
	enum l0_age age = l0_age_of(v, now_ms);
	struct resolver_answer a;

	if (v->key_flags & L0_KEY_SUBNET)
		miss_note(r, m, TRACE_l0_scoped, subnet_bits(v));
	if (age == L0_FRESH) {
		miss_note(r, m, TRACE_l0_hit, (uint32_t)(age_ms / 1000));
		a = resolver_answer_fresh(r, &v->answer, (uint32_t)(age_ms / 1000));
		a.kind = ANSWER_CACHED;
		a.finding = finding;
	} else if (age == L0_SOFT_EXPIRED && age_ms < v->stale_until_ms) {
		miss_note(r, m, TRACE_l0_stale, (uint32_t)(age_ms / 1000));
		a = resolver_answer_stale_record(r, v, finding);
	} else {
		return false;
	}
	resolver_answer_one(r, &m->query, &m->waiter, &a);
	return true;
}

// An answer out of L0 with its own bytes: a store may overwrite those of the record.
static struct l0_view view_copied(const struct l0_view *v, struct dns_answer *bytes)
{
	struct l0_view out = *v;

	memcpy(bytes->bytes, v->answer.bytes, v->answer.len);
	for (unsigned i = 0; i < v->answer.ttl_count; i++)
		bytes->ttl_off[i] = (uint16_t)dns_answer_ttl_at(&v->answer, i);
	out.answer.bytes = bytes->bytes;
	out.answer.ttl_off = bytes->ttl_off;
	out.answer.ttl_step = 0;
	return out;
}

// The same answer for the type asked now, so that workers have it too. If it is not stored, an
// older one of that type goes: this client gets the newer.
static void nxdomain_keep(struct resolver *r, const struct l0_key *key, const struct l0_view *v,
	const struct answer_match *finding)
{
	struct rule_set mask;
	const struct l0_put put = {
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

	if (resolver_check_mask(r, finding, &mask) && l0_writer_put(r->l0, &put) == 0)
		r->count.stored++;
	else
		(void)l0_writer_delete(r->l0, key);
}

// NXDOMAIN for A holds for all types (RFC 2308 5, RFC 8020), except for DS, which is a record of
// the zone above (RFC 4035 3.1.4.1), and that zone's to deny. NXDOMAIN for AAAA holds for AAAA
// alone: some servers send it for an AAAA that they do not have (RFC 4074 4.2). Rules may be for
// one type, so the answer is checked for the type of this query. Of N resolvers one in N has the A
// of a name in its own part of L0; the others ask.
static bool miss_no_name(struct resolver *r, const struct miss *m, uint64_t now_ms)
{
	struct dns_query a = m->query;
	struct answer_match finding;
	struct dns_answer bytes;
	struct l0_key key;
	struct l0_view v;

	if (m->query.qtype == DNS_TYPE_A || m->query.qtype == DNS_TYPE_DS || m->view->no_cache
		|| !l0_writer_owns(r->l0, m->key.hash))
		return false;
	a.qtype = DNS_TYPE_A;
	l0_key_of_query(l0_writer_reader(r->l0), &a, m->key.view, &key);
	if (!store_find(r, &key, &v) || v.answer.rcode != DNS_RCODE_NXDOMAIN
		|| v.answer.ancount != 0 || l0_age_of(&v, now_ms) != L0_FRESH)
		return false;
	resolver_check_answer(r, m->view, &m->query, &v.answer, &finding);
	const struct l0_view copied = view_copied(&v, &bytes);
	nxdomain_keep(r, &m->key, &copied, &finding);
	return miss_cached(r, m, &copied, &finding, now_ms);
}

// Answers the client if a pattern blocks the name for it, or a list leads it elsewhere.
static bool miss_blocked(struct resolver *r, const struct miss *m, uint64_t now_ms)
{
	struct answer_match finding;

	if (!r->answer_policy || !answer_policy_concerns_names(r->answer_policy))
		return false;
	answer_policy_question(r->answer_policy, ANSWER_POLICY_ON_RESOLVER + r->index,
		&m->query.name, m->query.qtype, &finding);
	struct rule_ruling ruling;
	struct dns_block block;
	if (!resolver_check_blocks(r, &m->query, &m->waiter, &finding, &ruling, &block))
		return false;
	r->count.answer_policy.questions_blocked++;
	if (miss_led(r, m, &ruling, now_ms))
		return true;
	const struct resolver_answer a = {.finding = &finding};
	resolver_answer_one(r, &m->query, &m->waiter, &a);
	return true;
}

// Answered by L0. Workers see no scoped record, so its visits are this one's to count.
static void hit_count(struct resolver *r, const struct l0_key *key)
{
	l0_writer_heat_add(r->l0, key, 1);
	r->count.subnet_hits += (key->flags & L0_KEY_SUBNET) != 0;
}

void miss_resolve(struct resolver *r, const struct miss *m, uint64_t now_ms)
{
	struct answer_match finding;
	struct subnet_key at;
	struct l0_view v;

	bool found = !m->view->no_cache && store_find_for(r, &m->key, &m->subnet, &at, &v);
	if (found)
		resolver_check_record(r, &v, &finding);
	if (found && miss_cached(r, m, &v, &finding, now_ms)) {
		hit_count(r, &at.key);
		return;
	}
	if (miss_no_name(r, m, now_ms)) {
		miss_note(r, m, TRACE_no_such_name, 0);
		return;
	}
	miss_note(r, m, TRACE_l0_miss, 0);
	const struct l0_view *stale = found && store_usable(&v, now_ms) ? &v : NULL;
	if (stale && !(v.key_flags & L0_KEY_SUBNET))
		refresh_missed(r->refresh, &m->key, stale, now_ms);
	const uint64_t hash = inflight_hash(r->inflight, m->key.hash, &m->subnet);
	const bool failed = failures_recent(r->failures, hash, now_ms);
	if (failed || r->is_off) {
		r->count.failed_recently += failed;
		miss_note(r, m, failed ? TRACE_failed_recently : TRACE_resolver_off, 0);
		const int bogus = failed ? failures_bogus(r->failures, hash) : DNS_EDE_NONE;
		const struct resolver_answer refusal =
			bogus == DNS_EDE_NONE ? resolver_answer_servfail(DNS_EDE_CACHED_ERROR)
					      : resolver_answer_bogus(bogus);
		miss_refuse(r, m, bogus == DNS_EDE_NONE ? stale : NULL, &refusal);
		return;
	}
	LEAK_DEMO(map, 300);
	miss_ask(r, m, stale, now_ms);
}

// A miss that was read. Its view may have left since it was sent.
static void miss_take(struct resolver *r, const struct miss *m, uint64_t now_ms)
{
	const bool is_late = now_ms >= m->waiter.arrival_ms + r->set.answer_deadline_ms;

	// Its client has asked again or given up; working for it would only add to the backlog. A
	// stream's client waits.
	if (is_late && !m->waiter.is_stream) {
		r->count.late++;
		miss_note(r, m, TRACE_expired, 0);
		if (m->refresh)
			store_refreshed(r, &m->key); // or no worker would request it again
		else
			resolver_answer_none(r, &m->query, &m->waiter);
	} else if (m->refresh) {
		refresh_hit(r->refresh, &m->key, now_ms);
	} else if (!m->view) {
		const struct resolver_answer refusal = resolver_answer_servfail(DNS_EDE_OTHER);
		resolver_answer_one(r, &m->query, &m->waiter, &refusal);
	} else if (!miss_blocked(r, m, now_ms)) {
		miss_resolve(r, m, now_ms);
	}
	if (unlikely_(m->waiter.trace))
		traces_settle(r->traces, m->waiter.trace);
}

// NOTIFY over UDP (lists/fetch/list_notify.h), which a worker hands over as it came.
static void notify_take(struct resolver *r, const struct msg_miss *m, const uint8_t *question)
{
	struct msg_answer head;

	r->count.notifies++;
	if (!list_notify_of_worker(r->notify, m, question, r->reply, &head)) {
		r->count.bad_misses++;
	} else if (head.dns_len > 0) {
		(void)worker_rings_answer(r->worker_rings, &head, r->reply);
		worker_rings_publish(r->worker_rings);
	}
}

void resolver_miss(void *resolver, const struct msg_miss *msg, const uint8_t *question)
{
	struct resolver *r = resolver;
	struct miss m;

	if (unlikely_(msg->kind == MISS_NOTIFY)) {
		notify_take(r, msg, question);
		return;
	}
	r->count.misses++;
	if (!miss_parse(r, msg, question, &m) || !m.view) {
		r->count.bad_misses++;
		return;
	}
	r->count.refreshes += m.refresh;
	if (unlikely_(msg->trace))
		m.waiter.trace = miss_trace(r, msg, &m.query, msg->path.worker, false);
	miss_take(r, &m, clock_mono_ms());
}

void resolver_miss_of_client(
	struct resolver *r, const struct client_miss *c, const uint8_t *question)
{
	struct miss m;

	if (!miss_parse(r, &c->m, question, &m)) {
		r->count.bad_misses++;
		return;
	}
	r->count.client_questions += !m.refresh;
	r->count.refreshes += m.refresh;
	m.waiter.ticket = c->ticket;
	m.waiter.is_client = true;
	m.waiter.is_stream = c->is_stream;
	if (c->is_stream) { // counted by its connection
		m.waiter.client = 0;
		m.waiter.is_exempt = false;
	}
	if (unlikely_(traces_on(r->traces)) && !m.refresh)
		m.waiter.trace = miss_trace(r, &c->m, &m.query, TRACE_OF_FRONTEND, c->is_stream);
	miss_take(r, &m, clock_mono_ms());
}
