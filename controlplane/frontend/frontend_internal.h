// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The engine's files share this: frontend.c (sessions, their questions and the resolver's answers),
// frontend_question.c (from a message to its answer), frontend_cache.c (L0), frontend_resolver.c
// (messages to the resolvers), frontend_reply.c (replies for the transport and rows for the query
// log), frontend_report.c (the engine's state), frontend_shared.c (what engines have in common).

#include "frontend.h"
#include "frontend_policy.h"
#include "frontend_shared.h"
#include "resolver/kept_query.h"
#include "resolver/resolver_log.h"
#include "shm/mapped_rules.h"
#include "shm/publish.h"

#include <weir/dns_answer.h>
#include <weir/dns_identity.h>
#include <weir/limit.h>
#include <weir/rule_reply.h>

#define FRONTEND_NIL UINT32_MAX // no slot

// A message on its way.
struct frontend_question {
	struct dns_query query;
	const struct policy_group *policy;
	uint8_t group;      // whatever the verdict; 0 where no policy is known
	bool proven;        // let through over its limits by a right cookie (limit_take_proven)
	bool blocks;        // lists block now
	uint8_t validation; // enum log_validation of a hit
	uint16_t view;
	uint16_t limit;    // bytes of the reply, beside what the client says
	uint16_t list;     // that blocked, or LOG_NO_LIST; whatever the verdict
	uint32_t age_s;    // of the record that answered
	unsigned resolver; // whose part of L0 its key is in
};

struct frontend_slot {
	struct frontend_session *session; // NULL: free
	uint32_t life;
	uint32_t next, previous;    // of the session's; `next` of the free ones
	uint32_t next_age, earlier; // of its frontend_ages
	uint8_t has_opt;            // of enum dns_query_opt
	uint8_t group;              // group_in_image
	bool proven;                // as in frontend_question
	uint16_t query_len;
	uint64_t asked_us;
	uint8_t *query; // query_len bytes, a copy; NULL: not kept
	union client_address client;
};

struct frontend_ages { // slots, the oldest first
	uint32_t oldest, newest;
};

struct frontend_settings {
	struct dns_identity identity;
	uint32_t ttl_cap_s, stale_ttl_s;
	uint16_t udp_reply_size;
	bool any_minimal, rotate, stale_immediate;
};

struct frontend {
	struct ring_mesh_end *resolvers;
	struct publisher *publisher;
	struct publisher_reader cache;
	struct list_notify *notify; // NULL: NOTIFY is not implemented
	struct event *beat;
	struct frontend_settings set;
	uint32_t turn; // of local records' addresses, from reply to reply
	struct frontend_policy policy;
	struct mapped_rules rules;
	struct resolver_log *log;
	bool logs;                                   // a log thread empties its ring
	struct kept_queries kept;                    // of clients that wait
	unsigned number;                             // among the frontends
	struct frontend_shared *shared, *own_shared; // own: of an engine that was given none
	struct share pending;                        // of FRONTEND_PENDING_MAX
	struct limit_table *limits;                  // of UDP clients; the data plane has its own
	struct closed_pace closed;                   // over UDP
	struct frontend_status status;
	bool replying; // a session's reply function runs
	uint64_t full; // questions for which there was no slot
	uint32_t free, touched;
	struct frontend_ages datagrams, streams;
	// A reply that the engine writes itself, with the transport's room around it.
	uint8_t *reply;
	uint8_t reply_room[REPLY_HEADROOM + DNS_MESSAGE_MAX + REPLY_TAILROOM];
	struct frontend_slot slot[FRONTEND_PENDING_MAX];
};

// Does the steps of a worker's stages. Returns the verdict, with the reply's length in *len (0: no
// reply), or VERDICT_miss for the resolver.
enum verdict frontend_settle(struct frontend *f, const struct frontend_session *s,
	const union client_address *client, const uint8_t *msg, size_t size,
	struct frontend_question *q, uint16_t *len);

// What a rule decides: its verdict, with the length of its reply in *len (0: none is due).
enum verdict frontend_ruled(struct frontend *f, struct frontend_question *q,
	const struct rule_reader *rules, const struct rule_ruling *ruling, uint16_t *len);

// Answers a NOTIFY (RFC 1996), of a message with another opcode than QUERY. VERDICT_miss: it is
// none, or nobody here takes one.
enum verdict frontend_notify(struct frontend *f, const union client_address *client,
	const uint8_t *msg, size_t size, struct frontend_question *q, uint16_t *len);

// The answer of the cache; VERDICT_miss: it has none that may be used.
enum verdict frontend_look_up(
	struct frontend *f, struct frontend_question *q, uint64_t now_ms, uint16_t *len);

// Sends the question to the resolver of its key: for a client, or a renewal (slot NULL) that no
// client waits for. The question is the one in f->reply. False: its ring is full.
ATTR_MUST_CHECK bool frontend_send(
	struct frontend *f, const struct frontend_question *q, const struct frontend_slot *slot);

// Charges the buckets of this client for a reply of `len` bytes, as a worker does. `proven`: of its
// question.
void frontend_charge(struct frontend *f, const struct frontend_session *s,
	const union client_address *client, bool proven, uint16_t len);

// The reply as its session sends it. `ede_text_len`: as in answer_source.
void frontend_reply_fill(const struct frontend *f, struct frontend_session *s, uint8_t *msg,
	uint16_t len, uint8_t has_opt, uint8_t ede_text_len, struct frontend_reply *out);
// Another configuration of the query log, once it is set.
void frontend_log_configure(struct frontend *f, const struct config *config);
// One that was turned away unread has no question.
bool frontend_is_unread(enum verdict v);
// Writes the query log: the resolver's answer, a missing one, or one without the resolver. `msg`:
// the query as received. A reply without bytes: no reply.
void frontend_log_answer(struct frontend *f, const struct frontend_session *s,
	const struct frontend_slot *slot, const struct dns_query *q, const uint8_t *msg,
	const struct frontend_reply *reply, const struct answer_source *source);
void frontend_log_untold(struct frontend *f, const struct frontend_slot *slot);
// For who watches.
void frontend_note_settled(struct frontend *f, const struct frontend_session *s,
	const union client_address *client, const struct frontend_question *q, enum verdict v,
	uint16_t len);
void frontend_log_settled(struct frontend *f, const struct frontend_session *s,
	const union client_address *client, const struct frontend_question *q, const uint8_t *msg,
	size_t len, enum verdict v, const struct frontend_reply *reply);
