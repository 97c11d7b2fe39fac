// SPDX-License-Identifier: BSD-3-Clause
// The engine: sessions and their questions, messages to and from the resolvers, rows of the query
// log, and the engine's state. frontend_question.c decides what a message gets.

#include "frontend.h"

#include "base/age_list.h"
#include "base/loop.h"
#include "bounds/bounds.h"
#include "frontend_internal.h"
#include "querylog/querylog_row.h"

#include <event2/event.h>

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

// Replies, as their session sends them.

enum { OPTION_HEAD = 4 };

// Bytes of the options of the reply's OPT without an EDE.
static uint16_t options_least(const struct frontend *f, uint8_t has_opt)
{
	size_t nsid = has_opt & DNS_OPT_NSID ? strlen(f->set.identity.nsid) : 0;
	return (uint16_t)((has_opt & DNS_OPT_COOKIE ? OPTION_HEAD + DNS_COOKIE_LEN : 0)
			  + (nsid ? OPTION_HEAD + nsid : 0));
}

// Offset of the reply's OPT, its last record: `least` bytes of options, or these and an EDE with
// `text_len` bytes of EXTRA-TEXT (dns_reply.h). 0: no OPT.
static uint16_t opt_of(const uint8_t *msg, uint16_t len, uint16_t least, uint8_t text_len)
{
	const uint16_t behind[] = {least, least + DNS_OPT_EDE_LEN + text_len};
	for (unsigned i = 0; i < ARRAY_LEN(behind) && get_u16(msg + 10) > 0; i++) {
		unsigned size = DNS_OPT_FIXED_LEN + behind[i];
		const uint8_t *opt = msg + (len > size ? len - size : 0);
		if (len >= DNS_HEADER_LEN + size && opt[0] == 0 && get_u16(opt + 1) == DNS_TYPE_OPT
			&& get_u16(opt + 9) == behind[i])
			return (uint16_t)(len - size);
	}
	return 0;
}

// The EDE of a reply: the last option that weir writes; the transport's options may follow.
static int reply_ede(const struct frontend *f, const struct frontend_reply *reply, uint8_t has_opt)
{
	const int behind = DNS_OPT_FIXED_LEN + options_least(f, has_opt);
	const uint8_t *option = reply->msg + reply->opt + behind;
	if (!reply->opt || reply->len - reply->opt < behind + DNS_OPT_EDE_LEN
		|| get_u16(option) != DNS_EDNS_OPTION_EDE)
		return DNS_EDE_NONE;
	return get_u16(option + 4);
}

// The reply as its session sends it. `ede_text_len`: as in answer_source.
static void reply_fill(const struct frontend *f, struct frontend_session *s, uint8_t *msg,
	uint16_t len, uint8_t has_opt, uint8_t ede_text_len, struct frontend_reply *out)
{
	*out = (struct frontend_reply){.msg = msg, .len = len};
	if (len == 0)
		return;
	if (has_opt)
		out->opt = opt_of(msg, len, options_least(f, has_opt), ede_text_len);
	if (s->complete)
		s->complete(s, out);
}

// Rows of the query log; a question without a reply has one, too.

static void log_set(struct frontend *f, const struct config *config)
{
	enum log_detail detail = (enum log_detail)config_log_detail(config);
	resolver_log_set(f->log, config_log_sample(config), detail);
	f->kept.is_on = detail == LOG_DETAIL_MESSAGES;
}

int frontend_set_log(struct frontend *f, struct querylog *q, const struct config *config)
{
	int rc = resolver_log_source(f->log, q);
	if (rc < 0)
		return rc;
	f->logs = true;
	log_set(f, config);
	return 0;
}

// A new configuration of the query log counts once frontend_set_log has set the log.
static void log_configure(struct frontend *f, const struct config *config)
{
	if (f->logs)
		log_set(f, config);
}

void frontend_configure(struct frontend *f, const struct config *config)
{
	f->set = (struct frontend_settings){
		.ttl_cap_s = config->cache.client_ttl_cap_s,
		.stale_ttl_s = config->cache.stale_ttl_s,
		.stale_immediate = config->cache.stale_immediate,
		.udp_reply_size = config->limits.udp_reply_size,
		.any_minimal = config->access.any_minimal,
		.rotate = config->cache.rotate,
	};
	config_identity_take(config, &f->set.identity);
	log_configure(f, config);
}

void frontend_end_log(struct frontend *f)
{
	resolver_log_end(f->log);
}

// `reply`: may be NULL.
static void log_end(struct frontend *f, const struct frontend_session *s,
	const struct frontend_slot *slot, const struct dns_query *q, struct resolver_logged what,
	const uint8_t *msg, const struct frontend_reply *reply)
{
	static const uint8_t over[FRONTEND_TRANSPORTS] = {[FRONTEND_TCP] = LOG_TCP,
		[FRONTEND_DOT] = LOG_TCP | LOG_TLS,
		[FRONTEND_DOH] = LOG_TLS};

	if (!resolver_log_is_on(f->log))
		return;
	what.query = q;
	what.asked = msg;
	what.reply = reply && reply->len ? reply->msg : NULL;
	what.reply_len = reply ? reply->len : 0;
	what.query_len = slot->query_len;
	what.arrival_us = slot->asked_us;
	what.group = slot->group;
	what.over = over[s->transport];
	resolver_log_client(f->log, &slot->client, &s->service, &what);
}

// `msg`: the query as received. A reply without bytes: no reply.
static void log_answer(struct frontend *f, const struct frontend_session *s,
	const struct frontend_slot *slot, const struct dns_query *q, const uint8_t *msg,
	const struct frontend_reply *reply, const struct answer_source *source)
{
	if (!resolver_log_is_on(f->log))
		return;
	struct resolver_logged what = {.ede = reply_ede(f, reply, slot->has_opt)};
	resolver_log_answer(&what, source);
	log_end(f, s, slot, q, what, msg, reply);
}

static void log_unanswered(struct frontend *f, const struct frontend_slot *slot)
{
	const struct resolver_logged what = {.ede = DNS_EDE_NONE,
		.verdict = LOG_VERDICT_UNANSWERED,
		.list = LOG_NO_LIST,
		.upstream = LOG_NO_UPSTREAM};
	log_end(f, slot->session, slot, NULL, what, slot->query, NULL);
}

// A query that was turned away unread has no question.
static bool is_unread(enum verdict v)
{
	return v == VERDICT_drop_dns_short || v == VERDICT_drop_dns_response
	       || v == VERDICT_drop_denied || v == VERDICT_drop_limited;
}

static void log_decided(struct frontend *f, const struct frontend_session *s,
	const union client_address *client, const struct frontend_question *q, const uint8_t *msg,
	size_t len, enum verdict v, const struct frontend_reply *reply)
{
	static const uint8_t tiers[VERDICT_COUNT] = {
		[VERDICT_hit] = LOG_TIER_L0,
		[VERDICT_hit_stale] = LOG_TIER_STALE,
		[VERDICT_blocked_answer] = LOG_TIER_RULES,
		[VERDICT_blocked] = LOG_TIER_RULES,
		[VERDICT_local] = LOG_TIER_RULES,
		[VERDICT_drop_rule] = LOG_TIER_RULES,
	};
	if (!resolver_log_is_on(f->log) || v == VERDICT_drop_dns_short
		|| v == VERDICT_drop_dns_response)
		return;
	const struct frontend_slot slot = {.client = *client,
		.query_len = (uint16_t)len,
		.asked_us = clock_mono_us(),
		.group = group_in_image(q->group, frontend_policy_generation(&f->policy))};
	const struct resolver_logged what = {
		.ede = reply->len ? reply_ede(f, reply, q->query.has_opt) : DNS_EDE_NONE,
		.verdict = (uint8_t)v,
		.tier = tiers[v],
		.validation = q->validation,
		.list = q->list,
		.upstream = LOG_NO_UPSTREAM};
	log_end(f, s, &slot, is_unread(v) ? NULL : &q->query, what, msg, reply);
}

// Messages to the resolvers: questions, as a worker's ask.c writes them, and what a watch shows.

// The client's address, in the form that a resolver's bounds and traces use.
static void path_fill(struct return_path *path, const union client_address *client)
{
	unsigned version;
	const uint8_t *bytes = client_bytes(client, &version);

	path->ip_version = (uint8_t)version;
	path->client_udp = htobe16(client_port(client));
	memcpy(path->client_ip, bytes, version == 4 ? 4 : 16);
}

static void miss_fill(struct client_miss *c, const struct frontend *f,
	const struct frontend_question *q, const struct frontend_slot *slot)
{
	const uint64_t asked_us = slot ? slot->asked_us : clock_mono_us();

	*c = (struct client_miss){.m = {.arrival_ms = asked_us / 1000,
					  .arrival_more_us = (uint32_t)(asked_us % 1000),
					  .id = q->query.id,
					  .flags = q->query.flags,
					  .udp_size = q->query.udp_size,
					  .has_opt = q->query.has_opt,
					  .dnssec_ok = q->query.dnssec_ok,
					  .view = q->view,
					  .kind = slot ? MISS_WAITER : MISS_REFRESH,
					  .group = q->group,
					  .policy = frontend_policy_generation(&f->policy),
					  .question_len = q->query.question_len}};
	if (!slot)
		return;
	c->m.query_len = slot->query_len;
	c->ticket.slot = (uint32_t)(slot - f->slot);
	c->ticket.life = slot->life;
	c->is_stream = slot->session->transport != FRONTEND_UDP;
	path_fill(&c->m.path, &slot->client);
}

bool frontend_send(
	struct frontend *f, const struct frontend_question *q, const struct frontend_slot *slot)
{
	const size_t cookie_len = q->query.has_opt & DNS_OPT_COOKIE ? DNS_COOKIE_LEN : 0;
	const size_t question_len = q->query.question_len;
	struct client_miss c;

	uint8_t *p = ring_mesh_reserve(f->resolvers, q->resolver, MSG_MISS,
		(uint32_t)(sizeof(c) + question_len + cookie_len));
	if (!p)
		return false;
	miss_fill(&c, f, q, slot);
	memcpy(p, &c, sizeof(c));
	memcpy(p + sizeof(c), f->reply + DNS_HEADER_LEN, question_len);
	memcpy(p + sizeof(c) + question_len, q->query.cookie, cookie_len);
	return true;
}

// Shows `weirctl watch` what was decided here. A watch is for people: half of the ring is left to
// questions.
static void watch_note(struct frontend *f, const struct frontend_session *s,
	const union client_address *client, const struct frontend_question *q, enum verdict v,
	uint16_t len)
{
	if (likely_(!publisher_is_watched(f->publisher)) || ring_mesh_is_half_full(f->resolvers, 0))
		return;
	struct client_settled note = {.address = *client,
		.arrival_us = clock_mono_us(),
		.age_s = q->age_s,
		.rcode = len ? get_u16(f->reply + 2) & DNS_FLAG_RCODE : 0,
		.qtype = q->query.qtype,
		.verdict = (uint8_t)v,
		.is_tcp = s->transport != FRONTEND_UDP,
		.name_len = q->query.question_len ? q->query.name.len : 0};
	memcpy(note.name, q->query.name.wire, note.name_len);
	void *p = ring_mesh_reserve(f->resolvers, 0, CLIENT_SETTLED, sizeof(note));
	if (p)
		memcpy(p, &note, sizeof(note));
}

enum { BEAT_MS = 100 };

// Slots: a place for each question that waits for the resolver, in its session's list and in a list
// by age: one for all streams, one for UDP.

static uint32_t slot_number(const struct frontend *f, const struct frontend_slot *slot)
{
	return (uint32_t)(slot - f->slot);
}

// NULL: all places are taken.
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
		log_unanswered(f, slot);
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

// False: no slot is free, or no room on the resolver's ring.
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

static enum frontend_outcome refuse(struct frontend *f, struct frontend_session *s,
	const union client_address *client, const struct frontend_question *q, const uint8_t *msg,
	size_t len, struct frontend_reply *out)
{
	uint8_t *reply = f->reply;
	uint16_t sum;

	memcpy(reply, msg, DNS_HEADER_LEN + (size_t)q->query.question_len);
	uint16_t reply_len = dns_reply_rcode(
		reply, DNS_MESSAGE_MAX, &q->query, DNS_RCODE_SERVFAIL, DNS_EDE_OTHER, &sum);
	f->status.of[s->transport].verdict[VERDICT_servfail_ring_full]++;
	uint8_t text_len = dns_reply_ede_text(reply, DNS_MESSAGE_MAX, &q->query,
		bound_text(BOUND_waiters), q->limit, &reply_len, &sum);
	reply_fill(f, s, reply, reply_len, q->query.has_opt, text_len, out);
	log_decided(f, s, client, q, msg, len, VERDICT_servfail_ring_full, out);
	return FRONTEND_REPLY;
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
	if (v == VERDICT_miss) {
		if (ask_resolver(f, s, client, &q, msg, len))
			return FRONTEND_LATER;
		v = frontend_settle_full(f, &q, &reply_len);
	}
	if (v == VERDICT_miss)
		return refuse(f, s, client, &q, msg, len, out);
	c->verdict[v]++;
	if (!is_unread(v))
		watch_note(f, s, client, &q, v, reply_len);
	reply_fill(f, s, f->reply, reply_len, q.query.has_opt, 0, out);
	log_decided(f, s, client, &q, msg, len, v, out);
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

// Reads the question from the reply, for the query log.
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

// The answers of the resolvers (ring_mesh_take_fn).
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
	reply_fill(f, slot->session, msg, is_dropped ? 0 : dns_len, slot->has_opt,
		a.source.ede_text_len, &reply);
	log_answer(f, slot->session, slot, &query, slot->query, &reply, &a.source);
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
		log_unanswered(f, slot);
		reply_send(f, slot, &none);
	}
}

static void on_beat(evutil_socket_t, short, void *arg)
{
	struct frontend *f = arg;
	uint64_t now_ms = clock_mono_ms();

	// Looks for newer images even while no client asks: a mapped old image takes memory.
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

// The state of an engine, and its tables.

const char *const frontend_transport_names[FRONTEND_TRANSPORTS] = {"udp", "tcp", "dot", "doh"};

void frontend_status(const struct frontend *f, struct frontend_status *out)
{
	*out = f->status;
	out->pending = (unsigned)f->pending.own;
	out->macs_unasked = f->policy.neighbours.refused;
}

struct frontend_shared *frontend_shared_of(const struct frontend *f)
{
	return f->shared;
}

// When the oldest question of the list came (clock_mono_ms); 0: the list is empty.
static uint64_t since_ms(const struct frontend *f, const struct frontend_ages *ages)
{
	return ages->oldest == FRONTEND_NIL ? 0 : f->slot[ages->oldest].asked_us / 1000;
}

uint64_t frontend_streams_since(const struct frontend *f)
{
	return since_ms(f, &f->streams);
}

void frontend_tables(const struct frontend *f, struct table_registry *tables)
{
	const uint64_t now_ms = clock_mono_ms(),
		       oldest_ms = table_age(
			       age_earlier(since_ms(f, &f->datagrams), since_ms(f, &f->streams)),
			       now_ms);
	if (f->number == 0)
		frontend_shared_tables(f->shared, tables);
	table_register(tables, &(struct table_info){.name = "frontend_pending",
				       .owner = "frontend loop",
				       .eviction = "refuse: cached answer or SERVFAIL",
				       .lifetime = "limits.answer_deadline_ms",
				       TABLE_WORK_FOR(5000),
				       // All frontends share the bound: it is shown once.
				       .cap = f->number == 0 ? FRONTEND_PENDING_MAX : 0,
				       .used = f->pending.own,
				       .high = f->status.pending_max,
				       .refused = f->full,
				       .oldest_ms = oldest_ms,
				       .has = TABLE_AGES | TABLE_REFUSES | TABLE_RESERVED,
				       .bytes = f->touched * sizeof(f->slot[0])});
	kept_queries_table(&f->kept,
		(struct table_info){.name = "frontend_queries",
			.owner = "frontend loop",
			.oldest_ms = oldest_ms},
		tables);
	struct ring_mesh_status rings;
	ring_mesh_status(f->resolvers, &rings);
	table_register(
		tables, &(struct table_info){.name = "frontend_rings",
				.owner = "frontend loop",
				.eviction = "refuse: stale answer or SERVFAIL; the answer is lost",
				.lifetime = "until the other thread reads it",
				.kind = TABLE_WORK,
				.cap = rings.units,
				.used = rings.used,
				.refused = rings.full,
				.has = TABLE_REFUSES,
				.bytes = rings.bytes});
	table_register(
		tables, &(struct table_info){.name = "frontend_neighbours",
				.owner = "frontend loop",
				.eviction = "evict the entry in the same slot",
				.lifetime = "5 s",
				.kind = TABLE_CACHE,
				.cap = FRONTEND_NEIGHBOURS,
				.used = f->policy.neighbours.used,
				.evicted = f->policy.neighbours.evicted,
				.refused = f->policy.neighbours.refused,
				.oldest_ms = frontend_neighbours_age(&f->policy.neighbours, now_ms),
				.has = TABLE_AGES | TABLE_EVICTS | TABLE_REFUSES,
				.bytes = sizeof(f->policy.neighbours.entry)});
}
