// SPDX-License-Identifier: BSD-3-Clause
#include "resolver_answer.h"

#include "querylog/querylog_row.h"
#include "resolver_check.h"
#include "resolver_log.h"
#include "resolver_miss.h"

#include <string.h>
#include <weir/clock.h>
#include <weir/dns_reply.h>

enum { ANSWERS_A_PORTION = 32, SHORT_LEN = 320 };

// May an answer of `len` bytes be sent? Only a short one once half of the ring is in use, so that
// long answers leave room for a SERVFAIL to each client that waits.
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

struct resolver_answer resolver_answer_refused(enum bound met)
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

// The query as the waiter sent it, as far as a reply needs it. *q comes with the question's part of
// it; the question is written where the reply has it, and the writers of replies put the header
// before it.
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

// One written for a waiter, good until the next one's.
struct reply {
	uint8_t *msg;
	uint16_t len, sum;
	bool is_dropped; // by a rule: nothing is sent
	int ede;
	struct answer_source source; // its kind may be another one than that of the answer
};

// An operator who lets no upstream be asked has SERVFAIL sent.
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

// Bytes that its reply may have, whatever its client says.
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
	if (out->is_dropped) { // the worker hears of it, its client does not
		out->source.blocked = VERDICT_drop_rule;
		out->len = dns_reply_rcode(
			out->msg, cap, q, DNS_RCODE_REFUSED, DNS_EDE_NONE, &out->sum);
		return;
	}
	out->len =
		answer_policy_reply(r->answer_policy, ruling, out->msg, cap, q, &opts, &out->sum);
}

// Of a client that is led to another name, whose answer this is.
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

// `reply`: NULL: it was sent none.
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

void resolver_answer_none(struct resolver *r, const struct dns_query *q, const struct waiter *w)
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
	// Of one that is dropped, the question: its row in the query log names it.
	const uint16_t len = reply.is_dropped ? DNS_HEADER_LEN + q->question_len : reply.len;
	const bool is_sent = len && client_send(r, w, reply.msg, len, &reply.source);
	trace_end(r, w, is_sent && !reply.is_dropped ? &reply : NULL);
	if (is_sent && !reply.is_dropped)
		count_client(r, w, reply.source.kind);
	if (is_sent)
		count_time(r, w, reply.source.kind, now_us);
}

// `question`: of the query, what all its waiters have in common.
static void waiter_answer(struct resolver *r, const struct dns_query *question,
	const struct waiter *w, const struct resolver_answer *a, uint64_t now_us)
{
	struct dns_query q = *question;

	// Only for UDP: a stream proves its client's address.
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

void resolver_answer_one(struct resolver *r, const struct dns_query *q, const struct waiter *w,
	const struct resolver_answer *a)
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

	// In portions, so that workers empty the rings while the rest is written.
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
