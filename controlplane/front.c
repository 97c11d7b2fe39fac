// SPDX-License-Identifier: BSD-3-Clause
#include "front.h"

#include "front_internal.h"
#include "resolver_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/clock.h>

int front_open(struct front **out, struct resolver *r)
{
	struct front *f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	int rc = limiter_new(1, &f->limiter);
	if (rc < 0) {
		free(f);
		return rc;
	}
	f->r = r;
	front_policy_open(&f->policy);
	f->free = f->oldest = f->newest = FRONT_NIL;
	*out = f;
	return 0;
}

void front_close(struct front *f)
{
	if (!f)
		return;
	assert(f->status.pending == 0);
	front_policy_close(&f->policy);
	limiter_free(f->limiter);
	free(f);
}

void front_session_begin(struct front_session *s)
{
	s->pending = 0;
	s->first = FRONT_NIL;
}

void front_session_end(struct front *f, struct front_session *s)
{
	while (s->first != FRONT_NIL) {
		struct front_slot *slot = &f->slot[s->first];
		front_log_untold(f, slot);
		front_slot_unlink(f, slot);
		front_slot_give_back(f, slot);
		f->status.of[s->transport].left++;
	}
}

static void count_answer(struct front_counts *c, enum answer_kind kind)
{
	c->answers++;
	c->answers_stale += kind == ANSWER_STALE;
	c->answers_servfail += kind == ANSWER_SERVFAIL;
	c->answers_blocked += kind == ANSWER_BLOCKED;
}

// Of what the resolver said at once.
static enum verdict verdict_said(enum answer_kind kind)
{
	static const uint8_t verdicts[ANSWER_KINDS] = {
		[ANSWER_UPSTREAM] = VERDICT_miss,
		[ANSWER_CACHED] = VERDICT_hit,
		[ANSWER_STALE] = VERDICT_hit_stale,
		[ANSWER_SERVFAIL] = VERDICT_miss,
		[ANSWER_BLOCKED] = VERDICT_blocked_answer,
	};
	return verdicts[kind];
}

static void count_said(struct front_counts *c, enum answer_kind kind)
{
	enum verdict v = verdict_said(kind);
	c->verdict[v]++;
	if (v == VERDICT_miss)
		count_answer(c, kind);
}

// By which answers are counted; over TCP its connections are (front_tcp.h).
static uint32_t client_of(const struct front *f, const struct front_slot *slot)
{
	const union front_client *c = &slot->client;
	const uint8_t *v6 = c->v6.sin6_addr.s6_addr;

	if (c->any.sa_family == AF_INET)
		return inflight_client(f->r->inflight, 4, (const uint8_t *)&c->v4.sin_addr);
	if (IN6_IS_ADDR_V4MAPPED(&c->v6.sin6_addr))
		return inflight_client(f->r->inflight, 4, v6 + 12);
	return inflight_client(f->r->inflight, 6, v6);
}

static struct waiter waiter_of(const struct front *f, const struct front_slot *slot,
	const struct front_session *s, const struct front_question *q, const uint8_t *msg)
{
	struct waiter w = {
		.ticket = {.slot = front_slot_number(f, slot), .life = slot->life},
		.is_front = true,
		.is_stream = s->transport == FRONT_TCP,
		.client = s->transport == FRONT_TCP ? 0 : client_of(f, slot),
		.id = q->query.id,
		.flags = q->query.flags,
		.udp_size = q->query.udp_size,
		.has_opt = q->query.has_opt,
		.dnssec_ok = q->query.dnssec_ok,
		.group = q->group,
		.policy = front_policy_generation(&f->policy),
		.arrival_ms = slot->asked_ms,
	};
	if (w.has_opt & DNS_OPT_COOKIE)
		memcpy(w.cookie, q->query.cookie, sizeof(w.cookie));
	waiter_keep_case(&w, msg + DNS_HEADER_LEN, q->query.name.len);
	return w;
}

static enum front_outcome refuse(struct front *f, const struct front_session *s,
	const struct front_question *q, const uint8_t *msg, struct front_reply *out)
{
	struct front_counts *c = &f->status.of[s->transport];
	uint8_t *reply = f->r->reply;
	uint16_t sum;

	memcpy(reply, msg, DNS_HEADER_LEN + (size_t)q->query.question_len);
	uint16_t len = dns_reply_rcode(
		reply, DNS_MESSAGE_MAX, &q->query, DNS_RCODE_SERVFAIL, DNS_EDE_OTHER, &sum);
	c->verdict[VERDICT_servfail_ring_full]++;
	front_reply_fill(f, c, reply, len, q->query.has_opt, out);
	return FRONT_REPLY;
}

static enum front_outcome ask_resolver(struct front *f, struct front_session *s,
	const union front_client *client, const struct front_question *q, const uint8_t *msg,
	size_t len, struct front_reply *out)
{
	struct front_counts *c = &f->status.of[s->transport];
	struct front_slot *slot = front_slot_take(f);

	slot->asked_us = clock_mono_us();
	slot->asked_ms = slot->asked_us / 1000;
	slot->has_opt = q->query.has_opt;
	slot->group = q->group;
	slot->proven = q->proven;
	slot->query_len = (uint16_t)len;
	slot->client = *client;
	struct waiter w = waiter_of(f, slot, s, q, msg);
	w.trace = trace_front(f->r, &q->query, client, slot->asked_us, s->transport == FRONT_TCP);
	f->said.there = false;
	f->asking = slot;
	resolver_ask(f->r, &q->query, q->view, &w);
	f->asking = NULL;
	if (unlikely_(w.trace) && f->said.there)
		traces_verdict(f->r->traces, w.trace, verdict_said(f->said.told.kind));
	if (unlikely_(w.trace))
		traces_settle(f->r->traces, w.trace);
	if (f->said.there) {
		front_log_told(f, slot, s->transport == FRONT_TCP, &q->query, f->r->reply,
			f->said.len, &f->said.told);
		front_slot_give_back(f, slot);
		front_charge(f, s, client, q->proven, f->said.len);
		count_said(c, f->said.told.kind);
		front_reply_fill(f, c, f->r->reply, f->said.len, q->query.has_opt, out);
		return FRONT_REPLY;
	}
	if (front_slot_is_last(f, slot)) {
		front_slot_give_back(f, slot);
		enum front_outcome o = refuse(f, s, q, msg, out);
		front_log_settled(f, s, client, q, len, VERDICT_servfail_ring_full, out->len);
		return o;
	}
	front_slot_link(f, slot, s);
	c->verdict[VERDICT_miss]++;
	return FRONT_LATER;
}

enum front_outcome front_ask(struct front *f, struct front_session *s,
	const union front_client *client, const uint8_t *msg, size_t len, struct front_reply *out)
{
	struct front_counts *c = &f->status.of[s->transport];
	struct front_question q;
	uint16_t reply_len;

	assert(!f->telling);
	enum verdict v = front_settle(f, s, client, msg, len, &q, &reply_len);
	if (v == VERDICT_miss)
		return ask_resolver(f, s, client, &q, msg, len, out);
	c->verdict[v]++;
	if (!front_is_unread(v))
		trace_front_settled(f->r, &q.query, client, s->transport == FRONT_TCP, v);
	front_log_settled(f, s, client, &q, len, v, reply_len);
	if (v == VERDICT_drop_dns_short || v == VERDICT_drop_dns_response
		|| v == VERDICT_drop_denied)
		return FRONT_BROKEN;
	if (reply_len == 0)
		return FRONT_NO_REPLY;
	front_charge(f, s, client, q.proven, reply_len);
	front_reply_fill(f, c, f->r->reply, reply_len, q.query.has_opt, out);
	return FRONT_REPLY;
}

// The session may be gone afterwards.
static void tell(struct front *f, struct front_slot *slot, const struct front_reply *reply)
{
	struct front_session *s = slot->session;
	const union front_client client = slot->client;

	front_slot_unlink(f, slot);
	front_slot_give_back(f, slot);
	f->telling = true;
	s->reply(s, &client, reply);
	f->telling = false;
}

void front_answer(struct front *f, const struct front_ticket *t, const struct dns_query *query,
	uint8_t *msg, uint16_t len, const struct told *told)
{
	struct front_slot *slot = &f->slot[t->slot];
	struct front_reply reply;

	if (slot->life != t->life)
		return; // nobody waits any more
	if (slot == f->asking) {
		f->said.there = true;
		f->said.len = len;
		f->said.told = *told;
		return;
	}
	struct front_counts *c = &f->status.of[slot->session->transport];
	count_answer(c, told->kind);
	front_log_told(f, slot, slot->session->transport == FRONT_TCP, query, msg, len, told);
	front_charge(f, slot->session, &slot->client, slot->proven, len);
	front_reply_fill(f, c, msg, len, slot->has_opt, &reply);
	tell(f, slot, &reply);
}

void front_beat(struct front *f, uint64_t now_ms)
{
	static const struct front_reply none;

	if (f->policy.word && f->policy.reader.has_access)
		limiter_look(f->limiter, &f->policy.reader.limit, now_ms);
	while (f->oldest != FRONT_NIL && now_ms >= f->slot[f->oldest].asked_ms + FRONT_LIFE_MS) {
		struct front_slot *slot = &f->slot[f->oldest];
		f->status.of[slot->session->transport].lost++;
		front_log_untold(f, slot);
		tell(f, slot, &none);
	}
}

void front_status(const struct front *f, struct front_status *out, struct table_registry *tables)
{
	*out = f->status;
	out->macs_unasked = f->policy.neighbours.refused;
	uint64_t now_ms = clock_mono_ms();
	table_register(tables,
		&(struct table_info){.name = "front_pending",
			.owner = "resolver loop",
			.eviction = "refused: what is cached, else SERVFAIL",
			.lifetime = "1.9 s",
			.cap = FRONT_PENDING_MAX,
			.used = f->status.pending,
			.high = f->status.pending_max,
			.refused = f->full,
			.oldest_ms = f->oldest == FRONT_NIL
					     ? 0
					     : table_age(f->slot[f->oldest].asked_ms, now_ms),
			.has = TABLE_AGES | TABLE_REFUSES,
			.bytes = f->touched * sizeof(f->slot[0])});
	table_register(
		tables, &(struct table_info){.name = "front_neighbours",
				.owner = "resolver loop",
				.eviction = "the one in its place",
				.lifetime = "5 s",
				.cap = FRONT_NEIGHBOURS,
				.used = f->policy.neighbours.used,
				.evicted = f->policy.neighbours.evicted,
				.refused = f->policy.neighbours.refused,
				.oldest_ms = front_neighbours_age(&f->policy.neighbours, now_ms),
				.has = TABLE_AGES | TABLE_EVICTS | TABLE_REFUSES,
				.bytes = sizeof(f->policy.neighbours.entry)});
}
