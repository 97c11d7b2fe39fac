// SPDX-License-Identifier: BSD-3-Clause
#include "front.h"

#include "front_internal.h"
#include "querylog_row.h"
#include "resolver_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/clock.h>

#define NIL UINT32_MAX

static uint32_t number(const struct front *f, const struct front_slot *slot)
{
	return (uint32_t)(slot - f->slot);
}

// Never NULL; the last one is for whom there is no room, and may only be answered at once.
static struct front_slot *slot_take(struct front *f)
{
	if (f->free != NIL) {
		struct front_slot *slot = &f->slot[f->free];
		f->free = slot->next;
		return slot;
	}
	bool full = f->touched == FRONT_PENDING_MAX;
	f->full += full;
	return &f->slot[full ? FRONT_PENDING_MAX : f->touched++];
}

static bool slot_is_last(const struct front *f, const struct front_slot *slot)
{
	return number(f, slot) == FRONT_PENDING_MAX;
}

// Its ticket is worth nothing from now on.
static void slot_give_back(struct front *f, struct front_slot *slot)
{
	slot->life++;
	slot->session = NULL;
	if (slot_is_last(f, slot))
		return;
	slot->next = f->free;
	f->free = number(f, slot);
}

static void slot_link(struct front *f, struct front_slot *slot, struct front_session *s)
{
	uint32_t n = number(f, slot);

	slot->session = s;
	slot->previous = NIL;
	slot->next = s->first;
	if (s->first != NIL)
		f->slot[s->first].previous = n;
	s->first = n;
	s->pending++;
	slot->next_age = NIL;
	slot->earlier = f->newest;
	if (f->newest != NIL)
		f->slot[f->newest].next_age = n;
	else
		f->oldest = n;
	f->newest = n;
	if (++f->status.pending > f->status.pending_max)
		f->status.pending_max = f->status.pending;
}

static void slot_unlink(struct front *f, struct front_slot *slot)
{
	struct front_session *s = slot->session;

	if (slot->previous != NIL)
		f->slot[slot->previous].next = slot->next;
	else
		s->first = slot->next;
	if (slot->next != NIL)
		f->slot[slot->next].previous = slot->previous;
	s->pending--;
	if (slot->earlier != NIL)
		f->slot[slot->earlier].next_age = slot->next_age;
	else
		f->oldest = slot->next_age;
	if (slot->next_age != NIL)
		f->slot[slot->next_age].earlier = slot->earlier;
	else
		f->newest = slot->earlier;
	f->status.pending--;
}

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
	f->free = f->oldest = f->newest = NIL;
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
	s->first = NIL;
}

static void log_untold(struct front *f, const struct front_slot *slot);

void front_session_end(struct front *f, struct front_session *s)
{
	while (s->first != NIL) {
		struct front_slot *slot = &f->slot[s->first];
		log_untold(f, slot);
		slot_unlink(f, slot);
		slot_give_back(f, slot);
		f->status.of[s->transport].left++;
	}
}

enum { ERROR_LEN = 6, OPTION_HEAD = 4 };

// Octets of the options of our OPT without an error.
static uint16_t options_least(const struct front *f, uint8_t has_opt)
{
	size_t nsid = has_opt & DNS_OPT_NSID ? strlen(f->r->set.identity.nsid) : 0;
	return (uint16_t)((has_opt & DNS_OPT_COOKIE ? OPTION_HEAD + DNS_COOKIE_LEN : 0)
			  + (nsid ? OPTION_HEAD + nsid : 0));
}

// Our OPT is the last record. It has these options, and then an error or none (dns_reply.h).
static uint16_t opt_of(const uint8_t *msg, uint16_t len, uint16_t least)
{
	const uint16_t behind[] = {least, least + ERROR_LEN};
	for (unsigned i = 0; i < ARRAY_LEN(behind) && get_u16(msg + 10) > 0; i++) {
		unsigned size = DNS_OPT_FIXED_LEN + behind[i];
		const uint8_t *opt = msg + (len > size ? len - size : 0);
		if (len >= DNS_HEADER_LEN + size && opt[0] == 0 && get_u16(opt + 1) == DNS_TYPE_OPT
			&& get_u16(opt + 9) == behind[i])
			return (uint16_t)(len - size);
	}
	return 0;
}

// Of a reply of ours, where the error is the last option.
static int reply_ede(const struct front *f, const uint8_t *msg, uint16_t len, uint8_t has_opt)
{
	const uint16_t least = options_least(f, has_opt);
	const int behind = DNS_OPT_FIXED_LEN + least;
	uint16_t opt = opt_of(msg, len, least);
	const uint8_t *option = msg + opt + behind;
	if (!opt || len - opt < behind + ERROR_LEN || get_u16(option) != DNS_EDNS_OPTION_EDE)
		return DNS_EDE_NONE;
	return get_u16(option + 4);
}

static void reply_fill(const struct front *f, struct front_counts *c, uint8_t *msg, uint16_t len,
	uint8_t has_opt, struct front_reply *out)
{
	*out = (struct front_reply){.msg = msg, .len = len};
	if (has_opt)
		out->opt = opt_of(msg, len, options_least(f, has_opt));
	c->truncated += (get_u16(msg + 2) & DNS_FLAG_TC) != 0;
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
		.ticket = {.slot = number(f, slot), .life = slot->life},
		.is_front = true,
		.is_stream = s->transport == FRONT_TCP,
		.client = s->transport == FRONT_TCP ? 0 : client_of(f, slot),
		.id = q->query.id,
		.flags = q->query.flags,
		.udp_size = q->query.udp_size,
		.has_opt = q->query.has_opt,
		.dnssec_ok = q->query.dnssec_ok,
		.group = q->group,
		.arrival_ms = slot->asked_ms,
	};
	if (w.has_opt & DNS_OPT_COOKIE)
		memcpy(w.cookie, q->query.cookie, sizeof(w.cookie));
	waiter_keep_case(&w, msg + DNS_HEADER_LEN, q->query.name.len);
	return w;
}

// `reply`: NULL where there is none.
static void log_end(struct front *f, const struct front_slot *slot, bool is_tcp,
	const struct dns_query *q, struct resolver_logged what, const uint8_t *reply, uint16_t len)
{
	if (!resolver_log_is_on(f->r->log))
		return;
	what.query = q;
	what.reply = reply;
	what.reply_len = len;
	what.query_len = slot->query_len;
	what.arrival_us = slot->asked_us;
	what.group = slot->group;
	what.is_tcp = is_tcp;
	resolver_log_front(f->r->log, &slot->client, &what);
}

static void log_told(struct front *f, const struct front_slot *slot, bool is_tcp,
	const struct dns_query *q, const uint8_t *reply, uint16_t len, const struct told *told)
{
	if (!resolver_log_is_on(f->r->log))
		return;
	struct resolver_logged what = {.ede = reply_ede(f, reply, len, slot->has_opt)};
	resolver_log_told(&what, told);
	log_end(f, slot, is_tcp, q, what, reply, len);
}

static void log_untold(struct front *f, const struct front_slot *slot)
{
	const struct resolver_logged what = {.ede = DNS_EDE_NONE,
		.verdict = LOG_VERDICT_UNANSWERED,
		.list = LOG_NO_LIST,
		.upstream = LOG_NO_UPSTREAM};
	log_end(f, slot, slot->session->transport == FRONT_TCP, NULL, what, NULL, 0);
}

// One that was turned away unread has no question.
static bool is_unread(enum verdict v)
{
	return v == VERDICT_drop_dns_short || v == VERDICT_drop_dns_response
	       || v == VERDICT_drop_denied || v == VERDICT_drop_limited;
}

// What was answered without the resolver.
static void log_settled(struct front *f, const struct front_session *s,
	const union front_client *client, const struct front_question *q, size_t len,
	enum verdict v, uint16_t reply_len)
{
	static const uint8_t tiers[VERDICT_COUNT] = {
		[VERDICT_blocked] = LOG_TIER_RULES,
		[VERDICT_local] = LOG_TIER_RULES,
		[VERDICT_drop_rule] = LOG_TIER_RULES,
	};
	if (!resolver_log_is_on(f->r->log) || v == VERDICT_drop_dns_short
		|| v == VERDICT_drop_dns_response)
		return;
	const struct front_slot slot = {.client = *client,
		.query_len = (uint16_t)len,
		.asked_us = clock_mono_us(),
		.group = q->group};
	const uint8_t *reply = reply_len ? f->r->reply : NULL;
	const struct resolver_logged what = {
		.ede = reply ? reply_ede(f, reply, reply_len, q->query.has_opt) : DNS_EDE_NONE,
		.verdict = (uint8_t)v,
		.tier = tiers[v],
		.list = q->list,
		.upstream = LOG_NO_UPSTREAM};
	log_end(f, &slot, s->transport == FRONT_TCP, is_unread(v) ? NULL : &q->query, what, reply,
		reply_len);
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
	reply_fill(f, c, reply, len, q->query.has_opt, out);
	return FRONT_REPLY;
}

static enum front_outcome ask_resolver(struct front *f, struct front_session *s,
	const union front_client *client, const struct front_question *q, const uint8_t *msg,
	size_t len, struct front_reply *out)
{
	struct front_counts *c = &f->status.of[s->transport];
	struct front_slot *slot = slot_take(f);

	slot->asked_us = clock_mono_us();
	slot->asked_ms = slot->asked_us / 1000;
	slot->has_opt = q->query.has_opt;
	slot->group = q->group;
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
		log_told(f, slot, s->transport == FRONT_TCP, &q->query, f->r->reply, f->said.len,
			&f->said.told);
		slot_give_back(f, slot);
		front_charge(f, s, client, f->said.len);
		count_said(c, f->said.told.kind);
		reply_fill(f, c, f->r->reply, f->said.len, q->query.has_opt, out);
		return FRONT_REPLY;
	}
	if (slot_is_last(f, slot)) {
		slot_give_back(f, slot);
		enum front_outcome o = refuse(f, s, q, msg, out);
		log_settled(f, s, client, q, len, VERDICT_servfail_ring_full, out->len);
		return o;
	}
	slot_link(f, slot, s);
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
	if (!is_unread(v))
		trace_front_settled(f->r, &q.query, client, s->transport == FRONT_TCP, v);
	log_settled(f, s, client, &q, len, v, reply_len);
	if (v == VERDICT_drop_dns_short || v == VERDICT_drop_dns_response
		|| v == VERDICT_drop_denied)
		return FRONT_BROKEN;
	if (reply_len == 0)
		return FRONT_NO_REPLY;
	front_charge(f, s, client, reply_len);
	reply_fill(f, c, f->r->reply, reply_len, q.query.has_opt, out);
	return FRONT_REPLY;
}

// The session may be gone afterwards.
static void tell(struct front *f, struct front_slot *slot, const struct front_reply *reply)
{
	struct front_session *s = slot->session;
	const union front_client client = slot->client;

	slot_unlink(f, slot);
	slot_give_back(f, slot);
	f->telling = true;
	s->reply(s, &client, reply);
	f->telling = false;
}

void front_answer(struct front *f, const struct front_ticket *t, uint8_t *msg, uint16_t len,
	const struct told *told)
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
	log_told(f, slot, slot->session->transport == FRONT_TCP, &f->r->one, msg, len, told);
	front_charge(f, slot->session, &slot->client, len);
	reply_fill(f, c, msg, len, slot->has_opt, &reply);
	tell(f, slot, &reply);
}

void front_beat(struct front *f, uint64_t now_ms)
{
	static const struct front_reply none;

	if (f->policy.word && f->policy.reader.has_access)
		limiter_look(f->limiter, &f->policy.reader.limit, now_ms);
	while (f->oldest != NIL && now_ms >= f->slot[f->oldest].asked_ms + FRONT_LIFE_MS) {
		struct front_slot *slot = &f->slot[f->oldest];
		f->status.of[slot->session->transport].lost++;
		log_untold(f, slot);
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
			.oldest_ms = f->oldest == NIL
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
