// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Of the engine's two files: frontend.c (sessions, their questions, the resolver's answers, the
// query log) and frontend_question.c (from a message to what it gets).

#include "base/frontend_neighbour.h"
#include "frontend.h"
#include "frontend_shared.h"
#include "resolver/kept_query.h"
#include "resolver/resolver_client.h"
#include "resolver/resolver_log.h"
#include "shm/mapped_rules.h"
#include "shm/publish.h"

#include <weir/dns_answer.h>
#include <weir/dns_identity.h>
#include <weir/limit.h>
#include <weir/rule_reply.h>
#include <weir/shm_region.h>

// The policy image of the workers (policy.h): the group of a client, and whether it may ask. The
// image is mapped again when another one is current, in some 0.1 ms. If it cannot be mapped the
// previous one stays; without any image no client may ask.
struct frontend_policy {
	uint64_t word;     // of directory.current that `reader` stands for; 0: there is none
	uint64_t tried_ms; // in vain; not again in the same FRONTEND_POLICY_RETRY_MS
	struct region region;
	struct policy_reader reader;
	struct frontend_neighbours neighbours;
};

enum { FRONTEND_POLICY_RETRY_MS = 100 };

void frontend_policy_open(struct frontend_policy *fp); // zeroed
void frontend_policy_look(struct frontend_policy *fp, struct publisher *publisher, uint64_t now_ms);
void frontend_policy_close(struct frontend_policy *fp);

// There was no image yet.
ATTR_INLINE bool frontend_policy_is_closed(const struct frontend_policy *fp)
{
	return fp->word == 0;
}

// The generation of the image, modulo 65536.
ATTR_INLINE uint16_t frontend_policy_generation(const struct frontend_policy *fp)
{
	return (uint16_t)(fp->word >> 1);
}

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

// Sends the question to the resolver of its key: for a client, or a renewal (slot NULL) that no
// client waits for. The question is the one in f->reply. False: its ring is full.
ATTR_MUST_CHECK bool frontend_send(
	struct frontend *f, const struct frontend_question *q, const struct frontend_slot *slot);

// Charges the buckets of this client for a reply of `len` bytes, as a worker does. `proven`: of its
// question.
void frontend_charge(struct frontend *f, const struct frontend_session *s,
	const union client_address *client, bool proven, uint16_t len);
