// SPDX-License-Identifier: BSD-3-Clause
#include "frontend.h"

#include "base/loop.h"
#include "frontend_internal.h"
#include "resolver/kept_query.h"

#include <event2/event.h>

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/config.h>

enum { BEAT_MS = 100 };

// Slots: a place for each question that waits for the resolver, in its session's list and in the
// list of all by age.

static uint32_t slot_number(const struct frontend *f, const struct frontend_slot *slot)
{
	return (uint32_t)(slot - f->slot);
}

static struct frontend_slot *slot_take(struct frontend *f)
{
	if (f->free != FRONTEND_NIL) {
		struct frontend_slot *slot = &f->slot[f->free];
		f->free = slot->next;
		return slot;
	}
	bool full = f->touched == FRONTEND_PENDING_MAX;
	f->full += full;
	return &f->slot[full ? FRONTEND_PENDING_MAX : f->touched++];
}

static bool slot_is_last(const struct frontend *f, const struct frontend_slot *slot)
{
	return slot_number(f, slot) == FRONTEND_PENDING_MAX;
}

static void slot_give_back(struct frontend *f, struct frontend_slot *slot)
{
	slot->life++;
	slot->session = NULL;
	kept_query_end(resolver_kept_queries(f->r), slot->query, slot->query_len);
	slot->query = NULL;
	if (slot_is_last(f, slot))
		return;
	slot->next = f->free;
	f->free = slot_number(f, slot);
}

static void slot_link(struct frontend *f, struct frontend_slot *slot, struct frontend_session *s)
{
	uint32_t n = slot_number(f, slot);

	slot->session = s;
	slot->previous = FRONTEND_NIL;
	slot->next = s->first;
	if (s->first != FRONTEND_NIL)
		f->slot[s->first].previous = n;
	s->first = n;
	s->pending++;
	slot->next_age = FRONTEND_NIL;
	slot->earlier = f->newest;
	if (f->newest != FRONTEND_NIL)
		f->slot[f->newest].next_age = n;
	else
		f->oldest = n;
	f->newest = n;
	if (++f->status.pending > f->status.pending_max)
		f->status.pending_max = f->status.pending;
}

static void slot_unlink(struct frontend *f, struct frontend_slot *slot)
{
	struct frontend_session *s = slot->session;

	if (slot->previous != FRONTEND_NIL)
		f->slot[slot->previous].next = slot->next;
	else
		s->first = slot->next;
	if (slot->next != FRONTEND_NIL)
		f->slot[slot->next].previous = slot->previous;
	s->pending--;
	if (slot->earlier != FRONTEND_NIL)
		f->slot[slot->earlier].next_age = slot->next_age;
	else
		f->oldest = slot->next_age;
	if (slot->next_age != FRONTEND_NIL)
		f->slot[slot->next_age].earlier = slot->earlier;
	else
		f->newest = slot->earlier;
	f->status.pending--;
}

void frontend_close(struct frontend *f)
{
	if (!f)
		return;
	assert(f->status.pending == 0);
	resolver_client_serve(f->r, NULL, NULL);
	if (f->beat)
		event_free(f->beat);
	frontend_policy_close(&f->policy);
	limiter_free(f->limiter);
	free(f);
}

void frontend_session_begin(struct frontend_session *s)
{
	s->pending = 0;
	s->first = FRONTEND_NIL;
}

void frontend_session_end(struct frontend *f, struct frontend_session *s)
{
	while (s->first != FRONTEND_NIL) {
		struct frontend_slot *slot = &f->slot[s->first];
		frontend_log_untold(f, slot);
		slot_unlink(f, slot);
		slot_give_back(f, slot);
		f->status.of[s->transport].left++;
	}
}

static void count_answer(struct frontend_counts *c, enum answer_kind kind)
{
	c->answers++;
	c->answers_stale += kind == ANSWER_STALE;
	c->answers_servfail += kind == ANSWER_SERVFAIL;
	c->answers_blocked += kind == ANSWER_BLOCKED;
}

// The verdict of an immediate answer of the resolver.
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

static bool is_truncated(const struct frontend_reply *reply)
{
	return reply->len && (get_u16(reply->msg + 2) & DNS_FLAG_TC);
}

static void count_said(struct frontend_counts *c, enum answer_kind kind)
{
	enum verdict v = verdict_said(kind);
	c->verdict[v]++;
	if (v == VERDICT_miss)
		count_answer(c, kind);
}

static enum frontend_outcome refuse(struct frontend *f, struct frontend_session *s,
	const struct frontend_question *q, const uint8_t *msg, struct frontend_reply *out)
{
	struct frontend_counts *c = &f->status.of[s->transport];
	uint8_t *reply = f->reply;
	uint16_t sum;

	memcpy(reply, msg, DNS_HEADER_LEN + (size_t)q->query.question_len);
	uint16_t len = dns_reply_rcode(
		reply, DNS_MESSAGE_MAX, &q->query, DNS_RCODE_SERVFAIL, DNS_EDE_OTHER, &sum);
	c->verdict[VERDICT_servfail_ring_full]++;
	frontend_reply_fill(f, s, reply, len, q->query.has_opt, out);
	return FRONTEND_REPLY;
}

static enum frontend_outcome ask_resolver(struct frontend *f, struct frontend_session *s,
	const union client_address *client, const struct frontend_question *q, const uint8_t *msg,
	size_t len, struct frontend_reply *out)
{
	struct frontend_counts *c = &f->status.of[s->transport];
	struct frontend_slot *slot = slot_take(f);

	slot->asked_us = clock_mono_us();
	slot->asked_ms = slot->asked_us / 1000;
	slot->has_opt = q->query.has_opt;
	slot->group = group_in_image(q->group, frontend_policy_generation(&f->policy));
	slot->proven = q->proven;
	slot->query_len = (uint16_t)len;
	slot->client = *client;
	const struct resolver_client querier = {
		.ticket = {.slot = slot_number(f, slot), .life = slot->life},
		.address = client,
		.name = msg + DNS_HEADER_LEN,
		.arrival_us = slot->asked_us,
		.policy = frontend_policy_generation(&f->policy),
		.group = q->group,
		.is_stream = s->transport == FRONTEND_TCP,
	};
	f->said.msg = NULL;
	f->asking = slot;
	uint32_t trace = resolver_client_ask(f->r, &q->query, q->view, &querier);
	f->asking = NULL;
	if (f->said.msg) {
		resolver_client_answered(f->r, trace, verdict_said(f->said.told.kind));
		frontend_reply_fill(f, s, f->said.msg, f->said.len, q->query.has_opt, out);
		frontend_log_told(f, s, slot, &q->query, msg, out, &f->said.told);
		slot_give_back(f, slot);
		frontend_charge(f, s, client, q->proven, f->said.len);
		count_said(c, f->said.told.kind);
		c->truncated += is_truncated(out);
		return FRONTEND_REPLY;
	}
	resolver_client_waits(f->r, trace);
	if (slot_is_last(f, slot)) {
		slot_give_back(f, slot);
		enum frontend_outcome o = refuse(f, s, q, msg, out);
		frontend_log_settled(f, s, client, q, msg, len, VERDICT_servfail_ring_full, out);
		return o;
	}
	slot->query = kept_query_new(resolver_kept_queries(f->r), msg, (uint16_t)len);
	slot_link(f, slot, s);
	c->verdict[VERDICT_miss]++;
	return FRONTEND_LATER;
}

enum frontend_outcome frontend_ask(struct frontend *f, struct frontend_session *s,
	const union client_address *client, const uint8_t *msg, size_t len,
	struct frontend_reply *out)
{
	struct frontend_counts *c = &f->status.of[s->transport];
	struct frontend_question q;
	uint16_t reply_len;

	assert(!f->telling);
	enum verdict v = frontend_settle(f, s, client, msg, len, &q, &reply_len);
	if (v == VERDICT_miss)
		return ask_resolver(f, s, client, &q, msg, len, out);
	c->verdict[v]++;
	if (!frontend_is_unread(v))
		resolver_client_settled(f->r, &q.query, client, s->transport == FRONTEND_TCP, v);
	frontend_reply_fill(f, s, f->reply, reply_len, q.query.has_opt, out);
	frontend_log_settled(f, s, client, &q, msg, len, v, out);
	if (v == VERDICT_drop_dns_short || v == VERDICT_drop_dns_response
		|| v == VERDICT_drop_denied)
		return FRONTEND_BROKEN;
	if (reply_len == 0)
		return FRONTEND_NO_REPLY;
	frontend_charge(f, s, client, q.proven, reply_len);
	c->truncated += is_truncated(out);
	return FRONTEND_REPLY;
}

// The session may be gone afterwards.
static void tell(struct frontend *f, struct frontend_slot *slot, const struct frontend_reply *reply)
{
	struct frontend_session *s = slot->session;
	const union client_address client = slot->client;

	slot_unlink(f, slot);
	slot_give_back(f, slot);
	f->telling = true;
	s->reply(s, &client, reply);
	f->telling = false;
}

// resolver_client_fn
static void on_answer(void *arg, const struct client_ticket *t, const struct dns_query *query,
	uint8_t *msg, uint16_t len, const struct told *told)
{
	struct frontend *f = arg;
	struct frontend_slot *slot = &f->slot[t->slot];
	struct frontend_reply reply;

	if (slot->life != t->life)
		return; // no client waits any more
	if (slot == f->asking) {
		f->said.msg = msg;
		f->said.len = len;
		f->said.told = *told;
		return;
	}
	struct frontend_counts *c = &f->status.of[slot->session->transport];
	count_answer(c, told->kind);
	frontend_reply_fill(f, slot->session, msg, len, slot->has_opt, &reply);
	frontend_log_told(f, slot->session, slot, query, slot->query, &reply, told);
	frontend_charge(f, slot->session, &slot->client, slot->proven, len);
	c->truncated += is_truncated(&reply);
	tell(f, slot, &reply);
}

static void on_beat(evutil_socket_t, short, void *arg)
{
	static const struct frontend_reply none;
	struct frontend *f = arg;
	uint64_t now_ms = clock_mono_ms();

	if (f->policy.word && f->policy.reader.has_access)
		limiter_look(f->limiter, &f->policy.reader.limit, now_ms);
	while (f->oldest != FRONTEND_NIL
		&& now_ms >= f->slot[f->oldest].asked_ms + FRONTEND_LIFE_MS) {
		struct frontend_slot *slot = &f->slot[f->oldest];
		f->status.of[slot->session->transport].lost++;
		frontend_log_untold(f, slot);
		tell(f, slot, &none);
	}
}

void frontend_configure(struct frontend *f, const struct config *config)
{
	f->set = (struct frontend_settings){
		.ttl_cap_s = config->cache.client_ttl_cap_s,
		.udp_reply_size = config->limits.udp_reply_size,
		.any_minimal = config->access.any_minimal,
		.rotate = config->cache.rotate,
	};
	config_identity_take(config, &f->set.identity);
}

int frontend_open(struct frontend **out, struct resolver *r, struct loop *loop,
	struct publisher *publisher, const struct config *config)
{
	struct frontend *f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->r = r;
	f->publisher = publisher;
	f->reply = f->reply_room + REPLY_HEADROOM;
	frontend_policy_open(&f->policy);
	f->free = f->oldest = f->newest = FRONTEND_NIL;
	frontend_configure(f, config);
	int rc = limiter_new(1, &f->limiter);
	f->beat = event_new(loop_base(loop), -1, EV_PERSIST, on_beat, f);
	if (!f->beat || event_add(f->beat, &(struct timeval){.tv_usec = BEAT_MS * 1000}) < 0)
		rc = -ENOMEM;
	if (rc < 0) {
		frontend_close(f);
		return rc;
	}
	resolver_client_serve(r, on_answer, f);
	*out = f;
	return 0;
}
