// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the engine's files share: front.c (sessions, and what they wait for), front_question.c (a
// message's way to its answer).

#include "front.h"
#include "front_policy.h"

#include <weir/limit.h>

// A message on its way.
struct front_question {
	struct dns_query query;
	const struct policy_group *policy;
	uint8_t group; // whatever the verdict; 0 where no policy is known
	uint16_t view;
	uint16_t limit; // octets of the reply, beside what the client says
	uint16_t list;  // that blocked, or LOG_NO_LIST; whatever the verdict
};

struct front_slot {
	struct front_session *session; // NULL: free
	uint64_t asked_ms;
	uint32_t life;
	uint32_t next, previous;    // of the session's; `next` of the free ones
	uint32_t next_age, earlier; // of all, the oldest first
	uint8_t has_opt;            // of enum dns_query_opt
	uint8_t group;
	uint16_t query_len;
	uint64_t asked_us;
	union front_client client;
};

struct front {
	struct resolver *r;
	struct front_policy policy;
	struct limiter *limiter; // of UDP clients; the data plane has its own
	struct front_status status;
	bool telling; // a session's reply function runs
	// The question that is just being asked, and what was said at once.
	struct front_slot *asking;
	struct {
		bool there;
		uint16_t len;
		struct told told;
	} said;
	uint64_t full; // questions for which there was no slot
	uint32_t free, touched, oldest, newest;
	struct front_slot slot[FRONT_PENDING_MAX + 1]; // the last one when all others are taken
};

// What a worker's stages would do up to the cache: its verdict, with the reply's length in *len (0:
// none is due), or VERDICT_miss for the resolver, which has the cache too.
enum verdict front_settle(struct front *f, const struct front_session *s,
	const union front_client *client, const uint8_t *msg, size_t size, struct front_question *q,
	uint16_t *len);

// A reply of `len` octets goes to this client, whose buckets pay for it as a worker's do.
void front_charge(struct front *f, const struct front_session *s, const union front_client *client,
	uint16_t len);
