// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the engine's two files share: frontend.c (sessions, their questions, the resolver's answers,
// the query log) and frontend_question.c (the steps that a message passes).

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
	uint64_t word;     // value of directory.current for the image in `reader`; 0: no image
	uint64_t tried_ms; // time of the last failed attempt (FRONTEND_POLICY_RETRY_MS)
	struct region region;
	struct policy_reader reader;
	struct frontend_neighbours neighbours;
};

enum { FRONTEND_POLICY_RETRY_MS = 100 };

void frontend_policy_open(struct frontend_policy *fp); // `fp` is zeroed
void frontend_policy_look(struct frontend_policy *fp, struct publisher *publisher, uint64_t now_ms);
void frontend_policy_close(struct frontend_policy *fp);

// True until the first image is mapped.
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

// A message while the engine works on it.
struct frontend_question {
	struct dns_query query;
	const struct policy_group *policy;
	uint8_t group;      // set for every verdict; 0 where no policy is known
	bool proven;        // a right cookie let it pass its limits (limit_take_proven)
	bool blocks;        // lists block at this time
	bool takes_stale;   // the resolver takes no questions: a stale record may answer
	uint8_t validation; // enum log_validation of a hit
	uint16_t view;
	uint16_t limit;    // most bytes of the reply; the client's own limit counts, too
	uint16_t list;     // the list that blocked, or LOG_NO_LIST; set for every verdict
	uint32_t age_s;    // age of the cached record that answered
	unsigned resolver; // the resolver whose part of L0 has its key
};

struct frontend_slot {
	struct frontend_session *session; // NULL: free
	uint32_t life;
	uint32_t next, previous;    // links of the session's list; `next` also of the free list
	uint32_t next_age, earlier; // links of its frontend_ages
	uint8_t has_opt;            // enum dns_query_opt
	uint8_t group;              // group_in_image
	bool proven;                // frontend_question.proven
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
	uint32_t turn; // rotation of addresses, one further for each reply
	struct frontend_policy policy;
	struct mapped_rules rules;
	struct resolver_log *log;
	bool logs;                                   // a log thread empties the engine's ring
	struct kept_queries kept;                    // queries of clients that wait
	unsigned number;                             // place among the frontends
	struct frontend_shared *shared, *own_shared; // own: made by an engine that was given none
	struct share pending;                        // share of FRONTEND_PENDING_MAX
	struct limit_table *limits;                  // rates of UDP clients, not of the data plane
	struct closed_pace closed;                   // pace of UDP replies without a policy
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

// Passes the message through the steps of a worker's stages. Returns the verdict, with the reply's
// length in *len (0: no reply), or VERDICT_miss: the resolver has to answer.
enum verdict frontend_settle(struct frontend *f, const struct frontend_session *s,
	const union client_address *client, const uint8_t *msg, size_t size,
	struct frontend_question *q, uint16_t *len);

// The answer of the cache, stale or not, to a question that the resolver did not take.
// VERDICT_miss: no answer.
enum verdict frontend_settle_full(struct frontend *f, struct frontend_question *q, uint16_t *len);

// Sends the question in f->reply to the resolver of its key: for a client, or (slot NULL) as a
// renewal that no client waits for. False: the resolver's ring is full.
ATTR_MUST_CHECK bool frontend_send(
	struct frontend *f, const struct frontend_question *q, const struct frontend_slot *slot);

// Charges the buckets of this client for a reply of `len` bytes, as a worker does. `proven`:
// frontend_question.proven.
void frontend_charge(struct frontend *f, const struct frontend_session *s,
	const union client_address *client, bool proven, uint16_t len);
