// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the engine's files share: frontend.c (sessions, their questions, and what the resolver says
// to them), frontend_question.c (a message's way to its answer), frontend_reply.c (what the
// transport and the query log are told), frontend_report.c (its state).

#include "frontend.h"
#include "frontend_policy.h"

#include <weir/dns_answer.h>
#include <weir/dns_identity.h>
#include <weir/limit.h>

#define FRONTEND_NIL UINT32_MAX // no slot

// A message on its way.
struct frontend_question {
	struct dns_query query;
	const struct policy_group *policy;
	uint8_t group; // whatever the verdict; 0 where no policy is known
	bool proven;   // let through over its limits by a right cookie (limit_take_proven)
	uint16_t view;
	uint16_t limit; // bytes of the reply, beside what the client says
	uint16_t list;  // that blocked, or LOG_NO_LIST; whatever the verdict
};

struct frontend_slot {
	struct frontend_session *session; // NULL: free
	uint64_t asked_ms;
	uint32_t life;
	uint32_t next, previous;    // of the session's; `next` of the free ones
	uint32_t next_age, earlier; // of all, the oldest first
	uint8_t has_opt;            // of enum dns_query_opt
	uint8_t group;              // group_in_image
	bool proven;                // as in frontend_question
	uint16_t query_len;
	uint64_t asked_us;
	uint8_t *query; // query_len bytes, a copy; NULL: not kept
	union client_address client;
};

struct frontend_settings {
	struct dns_identity identity;
	uint32_t ttl_cap_s;
	uint16_t udp_reply_size;
	bool any_minimal, rotate;
};

struct frontend {
	struct resolver *r;
	struct publisher *publisher;
	struct event *beat;
	struct frontend_settings set;
	uint32_t turn; // of local records' addresses, from reply to reply
	struct frontend_policy policy;
	struct limiter *limiter;   // of UDP clients; the data plane has its own
	struct closed_pace closed; // over UDP
	struct frontend_status status;
	bool telling; // a session's reply function runs
	// The question in frontend_ask, and its immediate answer.
	struct frontend_slot *asking;
	struct {
		uint8_t *msg; // the resolver's; NULL: nothing was
		uint16_t len;
		struct told told;
	} said;
	uint64_t full; // questions for which there was no slot
	uint32_t free, touched, oldest, newest;
	// A reply that the engine writes itself, with the transport's room around it.
	uint8_t *reply;
	uint8_t reply_room[REPLY_HEADROOM + DNS_MESSAGE_MAX + REPLY_TAILROOM];
	struct frontend_slot
		slot[FRONTEND_PENDING_MAX + 1]; // the last one when all others are taken
};

// Does the steps of a worker's stages up to the cache. Returns the verdict, with the reply's length
// in *len (0: no reply), or VERDICT_miss for the resolver, which reads the cache too.
enum verdict frontend_settle(struct frontend *f, const struct frontend_session *s,
	const union client_address *client, const uint8_t *msg, size_t size,
	struct frontend_question *q, uint16_t *len);

// Charges the buckets of this client for a reply of `len` bytes, as a worker does. `proven`: of its
// question.
void frontend_charge(struct frontend *f, const struct frontend_session *s,
	const union client_address *client, bool proven, uint16_t len);

// The reply as its session sends it.
void frontend_reply_fill(const struct frontend *f, struct frontend_session *s, uint8_t *msg,
	uint16_t len, uint8_t has_opt, struct frontend_reply *out);
// One that was turned away unread has no question.
bool frontend_is_unread(enum verdict v);
// Writes the query log: the resolver's answer, a missing one, or one without the resolver. `msg`:
// the query as received. A reply without bytes: no reply.
void frontend_log_told(struct frontend *f, const struct frontend_session *s,
	const struct frontend_slot *slot, const struct dns_query *q, const uint8_t *msg,
	const struct frontend_reply *reply, const struct told *told);
void frontend_log_untold(struct frontend *f, const struct frontend_slot *slot);
void frontend_log_settled(struct frontend *f, const struct frontend_session *s,
	const union client_address *client, const struct frontend_question *q, const uint8_t *msg,
	size_t len, enum verdict v, const struct frontend_reply *reply);
