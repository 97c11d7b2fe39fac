// SPDX-License-Identifier: BSD-3-Clause
// A client's query on its way to an answer: by a rule, by L0, by local data, or by a question,
// which it joins or begins.

#include "resolver_miss.h"

#include "base/leak_demo.h"
#include "lists/fetch/list_notify.h"
#include "lists/zone_suffix.h"
#include "querylog/querylog_row.h"
#include "question.h"
#include "resolver_check.h"
#include "resolver_log.h"
#include "resolver_store.h"

#include <string.h>
#include <weir/clock.h>
#include <weir/dns_query.h>
#include <weir/dns_reply.h>
#include <weir/shm_ring.h>

static bool miss_led_read(const struct resolver *r, const struct led *led,
	const struct dns_query *q, const struct dns_answer_view *view, struct dns_answer *out);

enum { ANSWERS_A_PORTION = 32, SHORT_LEN = 320 };

// May an answer of `len` bytes be sent? Once half of the ring is in use only a short answer may, so
// that long answers leave room for a SERVFAIL to each client that waits.
static bool client_fits(struct resolver *r, const struct waiter *w, uint16_t len)
{
	return len <= SHORT_LEN || !ring_mesh_is_half_full(r->clients, w->ticket.frontend);
}

// Sends an answer to a client that waits. False: the ring is full, counted.
static bool client_send(struct resolver *r, const struct waiter *w, const uint8_t *msg,
	uint16_t len, const struct answer_source *source)
{
	const struct client_answer head = {.ticket = w->ticket, .source = *source, .dns_len = len};
	uint8_t *p = ring_mesh_reserve(
		r->clients, w->ticket.frontend, MSG_ANSWER, (uint32_t)sizeof(head) + len);
	if (!p)
		return false;
	memcpy(p, &head, sizeof(head));
	memcpy(p + sizeof(head), msg, len);
	return true;
}

struct resolver_answer resolver_answer_servfail(int ede)
{
	return (struct resolver_answer){
		.rcode = DNS_RCODE_SERVFAIL,
		.kind = ANSWER_SERVFAIL,
		.opts = {.ede = ede},
	};
}

struct resolver_answer resolver_answer_bogus(int ede)
{
	struct resolver_answer a = resolver_answer_servfail(ede);
	a.is_bogus = true;
	return a;
}

static struct resolver_answer resolver_answer_refused(enum bound met)
{
	struct resolver_answer a = resolver_answer_servfail(DNS_EDE_OTHER);
	a.bound = met;
	return a;
}

struct resolver_answer resolver_answer_fresh(
	const struct resolver *r, const struct dns_answer_view *view, uint32_t age_s)
{
	return (struct resolver_answer){
		.view = view,
		.kind = ANSWER_UPSTREAM,
		.opts =
			{
				.age_s = age_s,
				.ttl_cap_s = r->set.client_ttl_cap_s,
				.ede = DNS_EDE_NONE,
			},
	};
}

struct resolver_answer resolver_answer_stale_record(
	const struct resolver *r, const struct l0_view *v, const struct answer_match *finding)
{
	struct resolver_answer a = resolver_answer_fresh(r, &v->answer, 0);
	a.kind = ANSWER_STALE;
	a.opts.has_ttl_fixed = true;
	a.opts.ttl_fixed_s = r->set.stale_ttl_s;
	a.opts.ede = v->answer.rcode == DNS_RCODE_NXDOMAIN ? DNS_EDE_STALE_NXDOMAIN
							   : DNS_EDE_STALE_ANSWER;
	a.finding = finding;
	return a;
}

// Completes *q, which has the question's part, with the waiter's: the query as the waiter sent it,
// as far as a reply needs it. Writes the question at its place in the reply, before which the
// writers of replies put the header.
static void query_rebuild(struct resolver *r, const struct waiter *w, struct dns_query *q)
{
	uint8_t *question = r->reply + DNS_HEADER_LEN;
	size_t n = q->name.len;

	q->id = w->id;
	q->flags = w->flags;
	q->udp_size = w->udp_size;
	q->has_opt = w->has_opt & (DNS_OPT_PLAIN | DNS_OPT_COOKIE);
	q->dnssec_ok = w->dnssec_ok;
	if (w->has_opt & DNS_OPT_COOKIE)
		memcpy(q->cookie, w->cookie, sizeof(q->cookie));
	q->asks_nsid = w->has_opt & DNS_OPT_NSID;
	dns_identity_nsid(&r->set.identity, q);
	q->question_len = (uint16_t)(n + 4);
	memcpy(question, q->name.wire, n);
	inflight_give_case(w, question, n);
	put_u16(question + n, q->qtype);
	put_u16(question + n + 2, q->qclass);
}

void resolver_answer_question(uint8_t *msg, struct dns_query *q)
{
	const size_t n = q->name.len;

	q->id = 0;
	q->flags = DNS_FLAG_RD | DNS_FLAG_AD | (q->flags & DNS_FLAG_CD);
	q->udp_size = DNS_MESSAGE_MAX;
	q->has_opt = DNS_OPT_NONE;
	q->question_len = (uint16_t)(n + 4);
	memcpy(msg + DNS_HEADER_LEN, q->name.wire, n);
	put_u16(msg + DNS_HEADER_LEN + n, q->qtype);
	put_u16(msg + DNS_HEADER_LEN + n + 2, q->qclass);
}

uint16_t resolver_answer_message(uint8_t *msg, size_t cap, const struct dns_query *question,
	const struct dns_answer_view *view, uint32_t age_s)
{
	struct dns_query q = *question;
	const struct dns_reply_opts opts = {
		.age_s = age_s, .ede = DNS_EDE_NONE, .limit = DNS_MESSAGE_MAX};
	uint16_t sum;

	resolver_answer_question(msg, &q);
	return dns_reply_answer(msg, cap, &q, view, &opts, &sum);
}

// A reply written for a waiter, valid until the next waiter's is written.
struct reply {
	uint8_t *msg;
	uint16_t len, sum;
	bool is_dropped; // a rule drops the query: nothing is sent
	int ede;
	struct answer_source source; // may have another kind than the answer
};

// SERVFAIL does not count as a failure while the operator lets no upstream be asked.
static void count_client(struct resolver *r, const struct waiter *w, enum answer_kind kind)
{
	struct client_tally *t = &r->count.clients;

	if (kind == ANSWER_SERVFAIL && !r->is_off)
		t->failed[w->crowd]++;
	else if (kind != ANSWER_SERVFAIL && kind != ANSWER_BLOCKED)
		t->good[w->crowd]++;
}

static void count_answer(struct resolver *r, const struct reply *reply)
{
	const enum answer_kind kind = reply->source.kind;

	if (kind == ANSWER_BLOCKED)
		r->count.answer_policy.answered_blocked++;
	else if (kind == ANSWER_SERVFAIL)
		r->count.servfail++;
	else if (kind == ANSWER_STALE)
		r->count.answered_stale++;
	else
		r->count.answered++;
	if (get_u16(reply->msg + 2) & DNS_FLAG_TC)
		r->count.answers_truncated++;
}

// Most bytes of the waiter's reply, whatever the client's OPT allows.
static uint16_t limit_of(const struct resolver *r, const struct waiter *w)
{
	return w->is_stream ? DNS_MESSAGE_MAX : r->set.udp_reply_size;
}

static void blocked_note(const struct rule_ruling *ruling, struct reply *out)
{
	out->source.kind = ANSWER_BLOCKED;
	out->source.from_l1 = false;
	out->source.bound = BOUND_none;
	out->source.list = ruling->d.list;
	out->source.blocked = ruling->named ? VERDICT_blocked : VERDICT_blocked_answer;
	out->ede = rule_class_ede(ruling->d.rule_class);
}

static void blocked_write(struct resolver *r, const struct dns_query *q, const struct waiter *w,
	const struct rule_ruling *ruling, const struct dns_block *block, size_t cap,
	struct reply *out)
{
	const struct rule_reply_opts opts = {
		.block = block, .ttl_cap_s = r->set.client_ttl_cap_s, .limit = limit_of(r, w)};

	blocked_note(ruling, out);
	out->is_dropped = ruling->d.action == RULE_DROP;
	if (out->is_dropped) { // the worker gets a message, the client no reply
		out->source.blocked = VERDICT_drop_rule;
		out->len = dns_reply_rcode(
			out->msg, cap, q, DNS_RCODE_REFUSED, DNS_EDE_NONE, &out->sum);
		return;
	}
	out->len =
		answer_policy_reply(r->answer_policy, ruling, out->msg, cap, q, &opts, &out->sum);
}

// Writes the reply to a client that is led to another name; `a` is that name's answer.
static void led_write(struct resolver *r, const struct dns_query *q, const struct waiter *w,
	const struct resolver_answer *a, size_t cap, struct reply *out)
{
	const struct rule_ruling ruling = {.d = rule_decision_blocks(&w->led->d), .named = true};
	struct policy_group group;
	struct dns_answer answer;

	if (!miss_led_read(r, w->led, q, a->view, &answer)) {
		publisher_group_at(r->publisher, w->policy, w->group, &group);
		blocked_write(r, q, w, &ruling, &group.block, cap, out);
		return;
	}
	const struct dns_answer_view view = dns_answer_view_of(&answer);
	struct dns_reply_opts opts = a->opts;
	opts.limit = limit_of(r, w);
	opts.ede = rule_class_ede(ruling.d.rule_class);
	blocked_note(&ruling, out);
	out->len = dns_reply_answer(out->msg, cap, q, &view, &opts, &out->sum);
}

static struct reply reply_write(struct resolver *r, const struct dns_query *q,
	const struct waiter *w, const struct resolver_answer *a)
{
	size_t cap = w->is_client ? DNS_MESSAGE_MAX : MSG_DNS_MAX;
	struct rule_ruling ruling;
	struct dns_block block;
	struct reply out = {.msg = r->reply,
		.ede = DNS_EDE_NONE,
		.source = {.kind = a->kind,
			.from_l1 = a->from_l1,
			.bound = (uint8_t)a->bound,
			.list = LOG_NO_LIST,
			.upstream = a->by ? a->by->answered_by : LOG_NO_UPSTREAM}};

	if (w->led) {
		led_write(r, q, w, a, cap, &out);
	} else if (resolver_check_blocks(r, q, w, a->finding, &ruling, &block)) {
		blocked_write(r, q, w, &ruling, &block, cap, &out);
	} else if (a->view) {
		struct dns_reply_opts opts = a->opts;
		opts.limit = limit_of(r, w);
		out.ede = opts.ede;
		out.source.validation = (uint8_t)resolver_log_validation(a->view);
		out.len = dns_reply_answer(out.msg, cap, q, a->view, &opts, &out.sum);
	} else {
		out.ede = a->opts.ede;
		out.source.validation = a->is_bogus ? LOG_VALIDATION_BOGUS : LOG_VALIDATION_NONE;
		out.len = dns_reply_rcode(out.msg, cap, q, a->rcode, a->opts.ede, &out.sum);
		const char *text = a->bound != BOUND_none ? bound_text(a->bound) : a->text;
		if (text)
			out.source.ede_text_len = dns_reply_ede_text(
				out.msg, cap, q, text, limit_of(r, w), &out.len, &out.sum);
		return out;
	}
	if (r->set.rotate && out.len)
		dns_rotate(out.msg, out.len, DNS_HEADER_LEN + (size_t)q->question_len, r->turn++);
	return out;
}

static struct resolver_logged logged(const struct dns_query *q, const struct waiter *w)
{
	return (struct resolver_logged){
		.query = q,
		.query_len = w->query_len,
		.asked = w->query,
		.ede = DNS_EDE_NONE,
		.arrival_us = w->arrival_ms * 1000 + w->arrival_more_us,
		.group = group_in_image(w->group, w->policy),
		.list = LOG_NO_LIST,
		.upstream = LOG_NO_UPSTREAM,
	};
}

static void count_time(
	struct resolver *r, const struct waiter *w, enum answer_kind kind, uint64_t now_us)
{
	uint64_t then_us = w->arrival_ms * 1000 + w->arrival_more_us;

	took_add(&r->count.took[kind], now_us > then_us ? (now_us - then_us) * 1000 : 0);
}

// `reply` NULL: the waiter was sent no reply.
static void trace_end(struct resolver *r, const struct waiter *w, const struct reply *reply)
{
	if (unlikely_(w->trace))
		traces_answered(r->traces, w->trace, reply ? reply->source.kind : TRACE_NO_ANSWER,
			reply ? get_u16(reply->msg + 2) & DNS_FLAG_RCODE : 0);
}

static void rings_answer(struct resolver *r, const struct dns_query *q, const struct waiter *w,
	const struct resolver_answer *a, uint64_t now_us)
{
	struct msg_answer head = {
		.dp_incarnation = w->dp_incarnation,
		.arrival_ms = w->arrival_ms,
		.path = w->path,
	};
	const struct reply reply = reply_write(r, q, w, a);

	head.dns_len = reply.len;
	head.sum = reply.sum;
	head.verdict = (uint8_t)reply.source.kind;
	head.dropped = reply.is_dropped;
	if (unlikely_(w->trace) && !reply.is_dropped)
		head.trace = traces_hand(r->traces, w->trace);
	const bool is_handed = reply.len && worker_rings_answer(r->worker_rings, &head, reply.msg);
	const bool is_sent = is_handed && !reply.is_dropped;
	trace_end(r, w, is_sent ? &reply : NULL);
	if (is_sent) {
		count_answer(r, &reply);
		count_client(r, w, reply.source.kind);
		count_time(r, w, reply.source.kind, now_us);
	}
	if (!resolver_log_is_on(r->log))
		return;
	struct resolver_logged e = logged(q, w);
	e.verdict = LOG_VERDICT_UNANSWERED;
	if (is_sent || reply.is_dropped)
		resolver_log_answer(&e, &reply.source);
	if (is_sent) {
		e.reply = reply.msg;
		e.reply_len = reply.len;
		if (dns_reply_tells_ede(reply.msg, reply.len, reply.source.ede_text_len, reply.ede))
			e.ede = reply.ede;
	}
	resolver_log_rings(r->log, &w->path, &e);
}

// A client gets no answer; a worker's client has a record in the query log.
static void resolver_answer_none(
	struct resolver *r, const struct dns_query *q, const struct waiter *w)
{
	trace_end(r, w, NULL);
	if (w->is_client || !resolver_log_is_on(r->log))
		return;
	struct dns_query own = *q;
	if (w->led)
		own.name = w->led->name;
	struct resolver_logged e = logged(&own, w);
	e.verdict = LOG_VERDICT_UNANSWERED;
	resolver_log_rings(r->log, &w->path, &e);
}

static void client_answer(struct resolver *r, const struct dns_query *q, const struct waiter *w,
	const struct resolver_answer *a, uint64_t now_us)
{
	struct reply reply = reply_write(r, q, w, a);

	if (!client_fits(r, w, reply.len)) {
		const struct resolver_answer no_room = resolver_answer_servfail(DNS_EDE_OTHER);
		reply = reply_write(r, q, w, &no_room);
	}
	// A dropped query gets header and question, for its row in the query log.
	const uint16_t len = reply.is_dropped ? DNS_HEADER_LEN + q->question_len : reply.len;
	const bool is_sent = len && client_send(r, w, reply.msg, len, &reply.source);
	trace_end(r, w, is_sent && !reply.is_dropped ? &reply : NULL);
	if (is_sent && !reply.is_dropped)
		count_client(r, w, reply.source.kind);
	if (is_sent)
		count_time(r, w, reply.source.kind, now_us);
}

// `question`: the part of the query that all waiters have in common.
static void waiter_answer(struct resolver *r, const struct dns_query *question,
	const struct waiter *w, const struct resolver_answer *a, uint64_t now_us)
{
	struct dns_query q = *question;

	// Only UDP has a deadline: a stream proves its client's address.
	if (!w->is_stream
		&& now_us / 1000 >= w->arrival_ms + r->set.answer_deadline_ms + ANSWER_SPARE_MS) {
		r->count.late++;
		resolver_answer_none(r, question, w);
		return;
	}
	if (w->led)
		q.name = w->led->name;
	query_rebuild(r, w, &q);
	if (w->is_client)
		client_answer(r, &q, w, a, now_us);
	else
		rings_answer(r, &q, w, a, now_us);
}

static void resolver_answer_one(struct resolver *r, const struct dns_query *q,
	const struct waiter *w, const struct resolver_answer *a)
{
	waiter_answer(r, q, w, a, clock_mono_us());
	worker_rings_publish(r->worker_rings);
}

void resolver_answer_all(struct resolver *r, struct question *q, const struct resolver_answer *a)
{
	if (q->waiters == 0 && !q->request)
		r->count.no_waiter++;
	resolver_answer_until(r, q, a, UINT64_MAX);
}

void resolver_answer_until(struct resolver *r, struct question *q, const struct resolver_answer *a,
	uint64_t arrived_ms)
{
	struct waiter w;
	uint64_t now_us = clock_mono_us();

	// Publishes in portions, so that workers empty the rings while the rest is written.
	for (unsigned n = 1; inflight_oldest(r->inflight, q) <= arrived_ms
			     && inflight_take_waiter(r->inflight, q, &w);
		n++) {
		waiter_answer(r, &q->query, &w, a, now_us);
		inflight_waiter_end(r->inflight, &w);
		if (n % ANSWERS_A_PORTION == 0) {
			worker_rings_publish(r->worker_rings);
			now_us = clock_mono_us();
		}
	}
	worker_rings_publish(r->worker_rings);
}

// No upstream may be asked: the client gets the stale record if there is one, else `refusal`.
static void miss_refuse(struct resolver *r, const struct miss *m, const struct l0_view *stale,
	const struct resolver_answer *refusal)
{
	struct answer_match finding;

	if (!stale) {
		resolver_answer_one(r, &m->query, &m->waiter, refusal);
		return;
	}
	resolver_check_record(r, stale, &finding);
	struct resolver_answer a = resolver_answer_stale_record(r, stale, &finding);
	resolver_answer_one(r, &m->query, &m->waiter, &a);
}

static void who_zone(const struct dns_name *name, unsigned at, char out[DNS_NAME_TEXT_MAX])
{
	struct dns_name tail = {.len = (uint8_t)(name->len - at)};

	memcpy(tail.wire, name->wire + at, tail.len);
	for (unsigned i = 0; tail.wire[i]; i += tail.wire[i] + 1u)
		tail.labels++;
	dns_name_to_text(&tail, out);
}

static void who_client(const struct miss *m, char out[DNS_NAME_TEXT_MAX])
{
	const bool is_six = m->ip_version == 6;
	struct ip_address a = {.version = is_six ? 6 : 4, .prefix_len = is_six ? 64 : 32};

	memcpy(a.bytes, m->client_ip, is_six ? 8 : 4);
	ip_address_text(&a, is_six, out);
}

// Notes which zone, suffix or client met its bound; nobody is to blame for the other bounds.
static void note_who(struct resolver *r, const struct miss *m, enum bound met)
{
	const struct dns_name *name = &m->query.name;
	char who[DNS_NAME_TEXT_MAX];

	if (met == BOUND_zone)
		who_zone(name, zone_of(name).zone, who);
	else if (met == BOUND_suffix)
		who_zone(name, zone_of(name).suffix, who);
	else if (met == BOUND_client)
		who_client(m, who);
	else
		return;
	bound_log_add(&r->met_bounds, met, who, clock_mono_ms());
}

// The client met a bound.
static void miss_over(
	struct resolver *r, const struct miss *m, const struct l0_view *stale, enum bound met)
{
	static const uint8_t step[BOUNDS] = {
#define X(name, text) [BOUND_##name] = TRACE_refused_##name,
		BOUNDS_LIST(X)
#undef X
	};
	miss_note(r, m, step[met], 0);
	note_who(r, m, met);
	// One of very many clients with this question: a retry will hit. A frontend's client gets
	// SERVFAIL, as over a stream there is no retry.
	if ((met == BOUND_question || met == BOUND_few) && !m->waiter.is_client) {
		resolver_answer_none(r, &m->query, &m->waiter);
		return;
	}
	const struct resolver_answer refusal = resolver_answer_refused(met);
	miss_refuse(r, m, stale, &refusal);
}

// Adds the client as a waiter.
static enum bound miss_wait(struct resolver *r, const struct miss *m, struct question *q)
{
	enum bound met = inflight_wait(r->inflight, q, &m->waiter, r->set.waiters);

	q->hits += q->hits < UINT16_MAX;
	if (met == BOUND_none && unlikely_(m->waiter.trace))
		traces_join(r->traces, &q->trace, m->waiter.trace);
	return met;
}

// Joins a question that is being resolved.
static void miss_join(
	struct resolver *r, const struct miss *m, const struct l0_view *stale, struct question *q)
{
	r->count.coalesced++;
	if (unlikely_(m->waiter.trace))
		traces_note(r->traces, m->waiter.trace, TRACE_joined, q->ask.sends, q->waiters);
	// The question's other clients had the stale answer long ago.
	if (q->stage == STAGE_BACKGROUND && stale) {
		miss_refuse(r, m, stale, NULL);
		return;
	}
	enum bound met = miss_wait(r, m, q);
	if (met == BOUND_none)
		question_wait_again(q, clock_mono_ms());
	else
		miss_over(r, m, stale, met);
}

static void miss_begin(
	struct resolver *r, const struct miss *m, const struct l0_view *stale, uint64_t now_ms)
{
	struct question *q;
	const uint64_t servers = question_l1_hash(r, m->view, &m->query.name, m->query.qtype);
	enum bound met = inflight_add(
		r->inflight, &m->key, &m->query, &m->subnet, servers, false, now_ms, &q);

	if (met != BOUND_none) {
		miss_over(r, m, stale, met);
		return;
	}
	miss_note(r, m, TRACE_began, 0);
	if (m->subnet.version)
		miss_note(r, m, TRACE_subnet, m->subnet.prefix_len);
	q->owner = r;
	q->def = m->view;
	q->born_ms = m->waiter.arrival_ms < now_ms ? m->waiter.arrival_ms : now_ms;
	met = miss_wait(r, m, q);
	if (met != BOUND_none) {
		inflight_remove(r->inflight, q);
		miss_over(r, m, stale, met);
		return;
	}
	question_start(q, now_ms);
}

// Lets the miss join the question in flight or begin one, or refuses it at a bound.
static void miss_ask(
	struct resolver *r, const struct miss *m, const struct l0_view *stale, uint64_t now_ms)
{
	struct question *q = inflight_find(r->inflight, &m->key, &m->subnet);

	if (q)
		miss_join(r, m, stale, q);
	else
		miss_begin(r, m, stale, now_ms);
}

// Did the client ask for the target itself? The target of a rule for a whole domain may be in it.
static bool is_itself(const struct led *led)
{
	return dns_name_equal(&led->alias.target, &led->name);
}

static bool is_of_alias(const struct led *led, uint16_t qtype)
{
	return (qtype == DNS_TYPE_CNAME || qtype == DNS_TYPE_ANY) && !is_itself(led);
}

// A list's `bad.example CNAME walled.garden.`: a client of bad.example waits for the answer for
// walled.garden, like clients that ask for that name, in the client's own view: from local data,
// L0, a question in flight, or the servers. So L0 has that answer under the target's name alone,
// and its record for bad.example is for groups without that list. The CNAME comes in front when the
// client is answered. The target's name and addresses are checked by no other list: this list
// decided. Where it has no answer the client's group says how the name is blocked. Of several
// resolvers that of the client's question asks, and stores the answer if its part of L0 has the
// target's key.

// Reads the target's answer as one to the client's question. False: there is no answer.
static bool miss_led_read(const struct resolver *r, const struct led *led,
	const struct dns_query *q, const struct dns_answer_view *view, struct dns_answer *out)
{
	const struct dns_chain chain = {
		.asked = &led->alias.target, .alias = &led->alias, .count = !is_itself(led)};
	struct dns_query target = *q;
	uint8_t msg[DNS_MESSAGE_MAX];
	size_t len = 0;

	target.name = led->alias.target;
	if (!is_of_alias(led, q->qtype)) {
		if (!view)
			return false;
		len = resolver_answer_message(msg, sizeof(msg), &target, view, 0);
	}
	return dns_answer_read_chain(len ? msg : NULL, len, &chain, q, 0, &r->set.ttl.limits, out)
		       == 0
	       && !out->truncated && out->kind != DNS_ANSWER_FAILURE;
}

// Answers by the local data of the client's group. False: the target is not local.
static bool led_to_local(struct resolver *r, const struct miss *m)
{
	struct dns_query q = m->query;
	struct policy_group group;
	uint8_t msg[DNS_MESSAGE_MAX];
	struct dns_answer answer;
	struct dns_answer_rules rules = r->set.ttl.limits;

	rules.svc_strip = 0; // the operator's own records
	if (!answer_policy_knows_local(r->answer_policy, &q.name, q.qtype))
		return false;
	publisher_group_at(r->publisher, m->waiter.policy, m->waiter.group, &group);
	if (!answer_policy_is_local(r->answer_policy, &q.name, q.qtype, group.lists))
		return false;
	resolver_answer_question(msg, &q);
	const size_t len = answer_policy_local(r->answer_policy, &q, &group, msg, sizeof(msg));
	struct resolver_answer a = resolver_answer_fresh(r, NULL, 0);
	struct dns_answer_view view;
	if (dns_answer_read(msg, len, &m->query, &rules, &answer) == 0) {
		view = dns_answer_view_of(&answer);
		a.view = &view;
	}
	resolver_answer_one(r, &m->query, &m->waiter, &a);
	return true;
}

static uint32_t subnet_bits(const struct l0_view *v)
{
	struct ip_address subnet;
	(void)subnet_of_record(v, &subnet);
	return subnet.prefix_len;
}

// Answers from a record that was stored, or restamped as stale, since the worker or the frontend
// looked. False: the record answers nothing.
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

// Counts a hit in L0. Workers see no scoped records, so the resolver counts their visits.
static void hit_count(struct resolver *r, const struct l0_key *key)
{
	l0_writer_heat_add(r->l0, key, 1);
	r->count.subnet_hits += (key->flags & L0_KEY_SUBNET) != 0;
}

// Copies an answer of L0 with its bytes: a store may overwrite the record.
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

// Stores an NXDOMAIN for A under the type of this query too, so that workers have it. If it cannot
// be stored, the older record of that type is deleted, as this client gets the newer answer.
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
// one type, so the answer is checked for the type of this query; and weir may ask for another name
// for that type alone (DNS64's PTR). Of N resolvers one in N has the A of a name in its own part of
// L0; the others ask.
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
		|| v.answer.ancount != 0 || l0_age_of(&v, now_ms) != L0_FRESH
		|| question_renames(r, m->view, &m->query.name, m->query.qtype))
		return false;
	resolver_check_answer(r, m->view, &m->query, &v.answer, &finding);
	const struct l0_view copied = view_copied(&v, &bytes);
	nxdomain_keep(r, &m->key, &copied, &finding);
	return miss_cached(r, m, &copied, &finding, now_ms);
}

// Answers a query that is not blocked by its name: from L0, or by a question.
static void miss_resolve(struct resolver *r, const struct miss *m, uint64_t now_ms)
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

// Answers a client that a list's CNAME leads to another name: the CNAME, and the answer for its
// target. False: the decision blocks instead.
static bool miss_led(
	struct resolver *r, const struct miss *m, const struct rule_ruling *ruling, uint64_t now_ms)
{
	struct led led = {.name = m->query.name, .d = ruling->d};
	struct miss on = *m;

	if (!answer_policy_lead(r->answer_policy, ruling, &m->query.name, &led.alias))
		return false;
	on.query.name = led.alias.target;
	on.waiter.led = &led;
	on.subnet = (struct ip_address){0};
	l0_key_of_query(l0_writer_reader(r->l0), &on.query, m->key.view, &on.key);
	if (is_of_alias(&led, m->query.qtype)) {
		const struct resolver_answer alone = resolver_answer_fresh(r, NULL, 0);
		resolver_answer_one(r, &on.query, &on.waiter, &alone);
	} else if (!led_to_local(r, &on)) {
		miss_resolve(r, &on, now_ms);
	}
	return true;
}

enum { MORE_US_MAX = 100000 }; // a slow clock's tick is a twentieth of it

// The part of the client's address that servers are sent. A client that allows fewer bits than they
// would be sent counts as one that hides its address: so its answer is not for other clients.
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
		.is_exempt = inflight_is_exempt(r->inflight, m->path.ip_version, m->path.client_ip),
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

// Processes a miss, whose view may have been removed since it was sent.
static void miss_process(struct resolver *r, const struct miss *m, uint64_t now_ms)
{
	const bool is_late = now_ms >= m->waiter.arrival_ms + r->set.answer_deadline_ms;

	// The client has asked again or given up; work for it would only add to the backlog. A
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

// Answers a NOTIFY over UDP (lists/fetch/list_notify.h), which a worker passes on as received.
static void notify_pass_on(struct resolver *r, const struct msg_miss *m, const uint8_t *question)
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
		notify_pass_on(r, msg, question);
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
	miss_process(r, &m, clock_mono_ms());
}

// Takes the query of a frontend's client; if its view is gone, the answer is SERVFAIL.
static void miss_of_client(struct resolver *r, const struct client_miss *c, const uint8_t *question)
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
	miss_process(r, &m, clock_mono_ms());
}

// A frontend's questions have a bound; a question that finds no room is refused. With one resolver
// all of them can be answered in one turn, at two to four units each.
enum { MISS_UNITS = 16384, ANSWER_UNITS = 65536 };

int resolver_client_mesh(struct ring_mesh **out, unsigned frontends, unsigned resolvers)
{
	const struct ring_mesh_side side[2] = {
		[CLIENT_FRONTENDS] = {.threads = frontends,
			.units = resolvers == 1 ? ANSWER_UNITS : ANSWER_UNITS / 2},
		[CLIENT_RESOLVERS] = {.threads = resolvers, .units = MISS_UNITS},
	};
	static_assert(ANSWER_UNITS / 8 * RING_UNIT
		      >= sizeof(struct ring_unit) + sizeof(struct client_answer) + DNS_MESSAGE_MAX);
	return ring_mesh_new(out, side, sizeof(struct client_answer) + DNS_MESSAGE_MAX);
}

// Traces a query that a frontend answered by itself: two steps without a question.
static void settled_receive(struct resolver *r, const struct client_settled *s)
{
	static const struct {
		enum trace_step step;
		enum answer_kind kind;
	} of[VERDICT_COUNT] = {
		[VERDICT_hit] = {TRACE_l0_hit, ANSWER_CACHED},
		[VERDICT_hit_stale] = {TRACE_l0_stale, ANSWER_STALE},
		[VERDICT_blocked_answer] = {TRACE_l0_hit, ANSWER_BLOCKED},
	};
	const enum trace_step step = of[s->verdict].step;
	struct trace t = {.worker = TRACE_OF_FRONTEND,
		.is_tcp = s->is_tcp,
		.verdict = s->verdict,
		.client_port = client_port(&s->address),
		.qtype = s->qtype,
		.name_len = s->name_len,
		.arrival_us = s->arrival_us};
	unsigned version;
	const uint8_t *bytes = client_bytes(&s->address, &version);

	t.ip_version = (uint8_t)version;
	memcpy(t.client, bytes, version == 4 ? 4 : 16);
	memcpy(t.name, s->name, s->name_len);
	trace_handle h = traces_start(r->traces, &t);
	if (!h)
		return;
	resolver_trace_note(r, h, step ? step : TRACE_settled, step ? s->age_s : 0);
	if (step)
		traces_answered(r->traces, h, of[s->verdict].kind, s->rcode);
	traces_settle(r->traces, h);
}

static bool settled_fits(const uint8_t *msg, uint32_t len, struct client_settled *out)
{
	if (len != sizeof(*out))
		return false;
	memcpy(out, msg, sizeof(*out));
	static_assert(sizeof(out->name) >= UINT8_MAX);
	return out->verdict < VERDICT_COUNT;
}

static bool miss_fits(const uint8_t *msg, uint32_t len, struct client_miss *out)
{
	if (len < sizeof(*out))
		return false;
	memcpy(out, msg, sizeof(*out));
	const unsigned cookie_len = out->m.has_opt & DNS_OPT_COOKIE ? DNS_COOKIE_LEN : 0;
	return !out->m.whole_len && out->m.question_len + cookie_len == len - sizeof(*out);
}

void resolver_client_take(
	void *resolver, unsigned frontend, uint16_t type, uint8_t *msg, uint32_t len)
{
	struct resolver *r = resolver;
	struct client_settled settled;
	struct client_miss c;

	if (type == MSG_MISS && miss_fits(msg, len, &c)) {
		c.ticket.frontend = frontend;
		miss_of_client(r, &c, msg + sizeof(c));
	} else if (type == CLIENT_SETTLED && settled_fits(msg, len, &settled)) {
		settled_receive(r, &settled);
	} else {
		r->count.foreign_messages++;
	}
}
