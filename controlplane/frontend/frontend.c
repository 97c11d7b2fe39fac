// SPDX-License-Identifier: BSD-3-Clause
#include "frontend.h"

#include "base/loop.h"
#include "bounds/bounds.h"
#include "frontend_internal.h"

#include <event2/event.h>

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

enum { BEAT_MS = 100 };

// Slots: a place for each question that waits for the resolver, in its session's list and in one
// by age: of all streams, or of UDP.

static uint32_t slot_number(const struct frontend *f, const struct frontend_slot *slot)
{
	return (uint32_t)(slot - f->slot);
}

// NULL: all are taken.
static struct frontend_slot *slot_take(struct frontend *f)
{
	uint32_t n = f->free;

	if (!share_take(&f->pending, FRONTEND_PENDING_MAX, 1)) {
		f->full++;
		return NULL;
	}
	if (n != FRONTEND_NIL)
		f->free = f->slot[n].next;
	else
		n = f->touched++;
	if (f->pending.own > f->status.pending_max)
		f->status.pending_max = (unsigned)f->pending.own;
	return &f->slot[n];
}

static void slot_give_back(struct frontend *f, struct frontend_slot *slot)
{
	slot->life++;
	slot->session = NULL;
	kept_query_end(&f->kept, slot->query, slot->query_len);
	slot->query = NULL;
	slot->next = f->free;
	f->free = slot_number(f, slot);
	share_give(&f->pending, FRONTEND_PENDING_MAX, 1);
}

static struct frontend_ages *ages_of(struct frontend *f, const struct frontend_session *s)
{
	return s->transport == FRONTEND_UDP ? &f->datagrams : &f->streams;
}

static void slot_link(struct frontend *f, struct frontend_slot *slot, struct frontend_session *s)
{
	uint32_t n = slot_number(f, slot);
	struct frontend_ages *ages = ages_of(f, s);

	slot->session = s;
	slot->previous = FRONTEND_NIL;
	slot->next = s->first;
	if (s->first != FRONTEND_NIL)
		f->slot[s->first].previous = n;
	s->first = n;
	s->pending++;
	slot->next_age = FRONTEND_NIL;
	slot->earlier = ages->newest;
	if (ages->newest != FRONTEND_NIL)
		f->slot[ages->newest].next_age = n;
	else
		ages->oldest = n;
	ages->newest = n;
}

static void slot_unlink(struct frontend *f, struct frontend_slot *slot)
{
	struct frontend_session *s = slot->session;
	struct frontend_ages *ages = ages_of(f, s);

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
		ages->oldest = slot->next_age;
	if (slot->next_age != FRONTEND_NIL)
		f->slot[slot->next_age].earlier = slot->earlier;
	else
		ages->newest = slot->earlier;
}

void frontend_close(struct frontend *f)
{
	if (!f)
		return;
	assert(f->pending.own == 0);
	ring_mesh_close(f->resolvers);
	if (f->beat)
		event_free(f->beat);
	frontend_policy_close(&f->policy);
	mapped_rules_close(&f->rules);
	resolver_log_close(f->log);
	frontend_shared_free(f->own_shared);
	heap_free(f);
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

static bool is_truncated(const struct frontend_reply *reply)
{
	return reply->len && (get_u16(reply->msg + 2) & DNS_FLAG_TC);
}

static enum frontend_outcome refuse(struct frontend *f, struct frontend_session *s,
	const struct frontend_question *q, const uint8_t *msg, struct frontend_reply *out)
{
	uint8_t *reply = f->reply;
	uint16_t sum;

	memcpy(reply, msg, DNS_HEADER_LEN + (size_t)q->query.question_len);
	uint16_t len = dns_reply_rcode(
		reply, DNS_MESSAGE_MAX, &q->query, DNS_RCODE_SERVFAIL, DNS_EDE_OTHER, &sum);
	f->status.of[s->transport].verdict[VERDICT_servfail_ring_full]++;
	uint8_t text_len = dns_reply_ede_text(
		reply, DNS_MESSAGE_MAX, &q->query, bound_text(BOUND_waiters), q->limit, &len, &sum);
	frontend_reply_fill(f, s, reply, len, q->query.has_opt, text_len, out);
	return FRONTEND_REPLY;
}

// False: no place, or no room on the resolver's ring.
static bool ask_resolver(struct frontend *f, struct frontend_session *s,
	const union client_address *client, const struct frontend_question *q, const uint8_t *msg,
	size_t len)
{
	struct frontend_slot *slot = slot_take(f);

	if (!slot)
		return false;
	slot->asked_us = clock_mono_us();
	slot->has_opt = q->query.has_opt;
	slot->group = group_in_image(q->group, frontend_policy_generation(&f->policy));
	slot->proven = q->proven;
	slot->query_len = (uint16_t)len;
	slot->client = *client;
	slot->session = s;
	if (!frontend_send(f, q, slot)) {
		slot_give_back(f, slot);
		return false;
	}
	slot->query = kept_query_new(&f->kept, msg, (uint16_t)len);
	slot_link(f, slot, s);
	f->status.of[s->transport].verdict[VERDICT_miss]++;
	return true;
}

static enum frontend_outcome ask_or_refuse(struct frontend *f, struct frontend_session *s,
	const union client_address *client, const struct frontend_question *q, const uint8_t *msg,
	size_t len, struct frontend_reply *out)
{
	if (ask_resolver(f, s, client, q, msg, len))
		return FRONTEND_LATER;
	enum frontend_outcome o = refuse(f, s, q, msg, out);
	frontend_log_settled(f, s, client, q, msg, len, VERDICT_servfail_ring_full, out);
	return o;
}

enum frontend_outcome frontend_ask(struct frontend *f, struct frontend_session *s,
	const union client_address *client, const uint8_t *msg, size_t len,
	struct frontend_reply *out)
{
	struct frontend_counts *c = &f->status.of[s->transport];
	struct frontend_question q;
	uint16_t reply_len;

	assert(!f->replying);
	enum verdict v = frontend_settle(f, s, client, msg, len, &q, &reply_len);
	if (v == VERDICT_miss)
		return ask_or_refuse(f, s, client, &q, msg, len, out);
	c->verdict[v]++;
	if (!frontend_is_unread(v))
		frontend_note_settled(f, s, client, &q, v, reply_len);
	frontend_reply_fill(f, s, f->reply, reply_len, q.query.has_opt, 0, out);
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
static void reply_send(
	struct frontend *f, struct frontend_slot *slot, const struct frontend_reply *reply)
{
	struct frontend_session *s = slot->session;
	const union client_address client = slot->client;

	slot_unlink(f, slot);
	slot_give_back(f, slot);
	f->replying = true;
	s->reply(s, &client, reply);
	f->replying = false;
}

// For the query log, from the reply.
static void question_of(
	const struct frontend_slot *slot, const uint8_t *msg, size_t len, struct dns_query *q)
{
	struct rd rd = rd_init(msg, len);

	*q = (struct dns_query){.has_opt = slot->has_opt};
	rd_skip(&rd, DNS_HEADER_LEN);
	if (dns_name_read(&rd, &q->name))
		return;
	q->qtype = rd_u16(&rd);
	q->qclass = rd_u16(&rd);
	q->question_len = (uint16_t)(q->name.len + 4);
}

// ring_mesh_take_fn
static void on_answer(void *arg, unsigned, uint16_t type, uint8_t *msg, uint32_t len)
{
	struct frontend *f = arg;
	struct frontend_reply reply;
	struct client_answer a;
	struct dns_query query;

	if (type != MSG_ANSWER || len < sizeof(a))
		return;
	memcpy(&a, msg, sizeof(a));
	if (a.dns_len < DNS_HEADER_LEN || a.dns_len != len - sizeof(a)
		|| a.ticket.slot >= FRONTEND_PENDING_MAX)
		return;
	struct frontend_slot *slot = &f->slot[a.ticket.slot];
	if (slot->life != a.ticket.life || !slot->session)
		return; // no client waits any more
	msg += sizeof(a);
	struct frontend_counts *c = &f->status.of[slot->session->transport];
	const uint16_t dns_len = (uint16_t)a.dns_len;
	const bool is_dropped =
		a.source.kind == ANSWER_BLOCKED && a.source.blocked == VERDICT_drop_rule;
	count_answer(c, a.source.kind);
	question_of(slot, msg, dns_len, &query);
	frontend_reply_fill(f, slot->session, msg, is_dropped ? 0 : dns_len, slot->has_opt,
		a.source.ede_text_len, &reply);
	frontend_log_answer(f, slot->session, slot, &query, slot->query, &reply, &a.source);
	frontend_charge(f, slot->session, &slot->client, slot->proven, reply.len);
	c->truncated += is_truncated(&reply);
	reply_send(f, slot, &reply);
}

static void lost_end(struct frontend *f, const struct frontend_ages *ages, uint64_t now_ms)
{
	static const struct frontend_reply none;

	while (ages->oldest != FRONTEND_NIL
		&& now_ms >= f->slot[ages->oldest].asked_us / 1000 + FRONTEND_LIFE_MS) {
		struct frontend_slot *slot = &f->slot[ages->oldest];
		f->status.of[slot->session->transport].lost++;
		frontend_log_untold(f, slot);
		reply_send(f, slot, &none);
	}
}

static void on_beat(evutil_socket_t, short, void *arg)
{
	struct frontend *f = arg;
	uint64_t now_ms = clock_mono_ms();

	// Without clients, too: an old image takes memory as long as it is mapped.
	frontend_policy_look(&f->policy, f->publisher, now_ms);
	mapped_rules_look(&f->rules, f->publisher, now_ms);
	if (f->policy.word && f->policy.reader.has_access)
		frontend_shared_limit(f->shared, &f->policy.reader.limit, now_ms);
	publisher_frontend_beat(f->publisher, f->number, now_ms);
	resolver_log_beat(f->log);
	lost_end(f, &f->datagrams, now_ms);
	lost_end(f, &f->streams, now_ms);
}

static int shared_open(struct frontend *f, const struct frontend_given *given)
{
	int rc = given->shared ? 0 : frontend_shared_new(&f->own_shared, 1);
	if (rc < 0)
		return rc;
	f->number = given->number;
	f->shared = given->shared ? given->shared : f->own_shared;
	f->pending.pool = &f->shared->pending;
	f->limits = limiter_table(f->shared->limiter, given->shared ? given->number : 0);
	return 0;
}

int frontend_open(
	struct frontend **out, const struct frontend_given *given, const struct config *config)
{
	struct frontend *f = heap_calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->publisher = given->publisher;
	f->notify = given->notify;
	f->reply = f->reply_room + REPLY_HEADROOM;
	frontend_policy_open(&f->policy);
	f->free = FRONTEND_NIL;
	f->datagrams = f->streams = (struct frontend_ages){FRONTEND_NIL, FRONTEND_NIL};
	frontend_configure(f, config);
	int rc = publisher_reader(given->publisher, given->number, &f->cache);
	if (rc == 0)
		rc = shared_open(f, given);
	if (rc == 0)
		rc = resolver_log_open(&f->log);
	if (rc == 0)
		rc = ring_mesh_open(&f->resolvers, given->resolvers, CLIENT_FRONTENDS,
			given->number, given->loop, on_answer, f);
	f->beat = event_new(loop_base(given->loop), -1, EV_PERSIST, on_beat, f);
	if (!f->beat || event_add(f->beat, &(struct timeval){.tv_usec = BEAT_MS * 1000}) < 0)
		rc = -ENOMEM;
	if (rc < 0) {
		frontend_close(f);
		return rc;
	}
	*out = f;
	return 0;
}
