// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The resolvers' door for frontends of this process, whose clients send DNS messages to sockets of
// the kernel (frontend.h). Their questions join those of the workers' clients.
//
// A frontend asks as a worker does: each has a pair of rings with each resolver (ring_mesh.h), in
// memory of the process, and sends a miss to the resolver whose part of L0 the key is in
// (l0_resolver_of). MSG_MISS: struct client_miss, then what follows a worker's struct msg_miss, but
// never the whole query. MSG_ANSWER: struct client_answer, then a whole DNS message of up to
// DNS_MESSAGE_MAX bytes; of a question that a rule drops (answer_source.blocked) no more than that.
// A ticket comes back once, or never: where the answer's ring is full (counted), or no answer comes
// before SERVFAIL is due (limits.answer_deadline_ms). So the frontend ends what waits too long.
// CLIENT_SETTLED: struct client_settled, a query that a frontend settled by itself, to the first
// resolver, for a watch. Neither side reads the other's state but by messages.

#include "base/ring_mesh.h"

#include <endian.h>
#include <netinet/in.h>
#include <weir/dns_name.h>
#include <weir/log_msg.h>
#include <weir/shm_msg.h>
#include <weir/shm_stats.h>

struct resolver;
struct waiter;

// Identifies a question of a frontend's client: a place in its table, and its use count. A ticket
// of an earlier use is ignored.
struct client_ticket {
	uint32_t slot, life;
	uint32_t frontend; // its number in the mesh
};

union client_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6; // also an IPv4 address mapped into it
};

// As in a packet, 4 bytes or 16, by the version. An IPv4 address mapped into IPv6 is one of IPv4.
ATTR_INLINE const uint8_t *client_bytes(const union client_address *a, unsigned *version)
{
	const uint8_t *v6 = a->v6.sin6_addr.s6_addr;
	const bool is_v4 = a->any.sa_family == AF_INET;
	const bool is_v6 = !is_v4 && !IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr);

	*version = is_v6 ? 6 : 4;
	return is_v4 ? (const uint8_t *)&a->v4.sin_addr : is_v6 ? v6 : v6 + 12;
}

ATTR_INLINE uint16_t client_port(const union client_address *a)
{
	return be16toh(a->any.sa_family == AF_INET ? a->v4.sin_port : a->v6.sin6_port);
}

// Where an answer came from, for the counters and the query log.
struct answer_source {
	enum answer_kind kind;
	bool from_l1;         // reported as ANSWER_CACHED
	uint8_t bound;        // enum bound that it met (bounds.h)
	uint8_t ede_text_len; // bytes of EXTRA-TEXT at the reply's end
	uint8_t validation;   // enum log_validation
	uint8_t blocked;      // of ANSWER_BLOCKED: the verdict that a worker would have
	uint16_t list;        // that blocked, or LOG_NO_LIST
	uint16_t upstream;    // that answered, or LOG_NO_UPSTREAM
};

struct client_miss {
	struct client_ticket ticket;
	bool is_stream; // takes a reply of any length, and has a bound of its own on its questions
	struct msg_miss m; // of `path` only the client
};

struct client_answer {
	struct client_ticket ticket;
	struct answer_source source;
	uint32_t dns_len;
};

enum {
	REPLY_HEADROOM = 2, // bytes before a reply, the transport's: for a length
	REPLY_TAILROOM = 64 // behind it: for an option of the transport's
};
static_assert((int)REPLY_TAILROOM <= (int)RING_MESH_TAILROOM);

// The sides of the mesh.
enum { CLIENT_FRONTENDS, CLIENT_RESOLVERS };
// For so many of each; the process's, which frees it (ring_mesh_free) behind both.
ATTR_MUST_CHECK int resolver_client_mesh(
	struct ring_mesh **out, unsigned frontends, unsigned resolvers);

// The resolver's end (ring_mesh_take_fn). Its loop's thread.
void resolver_client_take(
	void *resolver, unsigned frontend, uint16_t type, uint8_t *msg, uint32_t len);

enum { CLIENT_SETTLED = 64 }; // beside enum shm_msg_type

struct client_settled {
	union client_address address;
	uint64_t arrival_us;
	uint32_t age_s; // of the record, for a hit
	uint16_t rcode; // of the reply
	uint16_t qtype;
	uint8_t verdict; // enum verdict
	bool is_tcp;
	uint8_t name_len; // 0: the question was not read
	uint8_t name[DNS_NAME_MAX];
};
