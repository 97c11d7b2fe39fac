// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The resolvers' interface for frontends of this process, whose clients send DNS messages to
// sockets of the kernel (frontend.h). Their questions join those of the workers' clients.
//
// A frontend asks as a worker does: each has a pair of rings with each resolver (ring_mesh.h), in
// memory of the process, and sends a miss to the resolver whose part of L0 the key is in
// (l0_resolver_of). MSG_MISS: struct client_miss, then what follows a worker's struct msg_miss, but
// never the whole query. MSG_ANSWER: struct client_answer, then a whole DNS message of up to
// DNS_MESSAGE_MAX bytes; of which a query that a rule drops has only header and question
// (answer_source.blocked). A ticket comes back at most once: not if the answer's ring is full
// (counted), or if no answer comes before SERVFAIL is due (limits.answer_deadline_ms). So the
// frontend ends questions that wait too long. CLIENT_SETTLED: struct client_settled, a query that a
// frontend settled by itself, to the first resolver, for a watch. Neither side reads the other's
// state but by messages.

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
	uint32_t frontend; // number of the frontend in the mesh
};

union client_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6; // IPv6, or an IPv4-mapped address
};

// The address as in a packet, 4 or 16 bytes by the version. An IPv4-mapped address counts as IPv4.
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
	uint8_t bound;        // enum bound that the client met (bounds.h)
	uint8_t ede_text_len; // bytes of EXTRA-TEXT at the reply's end
	uint8_t validation;   // enum log_validation
	uint8_t blocked;      // ANSWER_BLOCKED: the verdict of a worker in that case
	uint16_t list;        // list that blocked, or LOG_NO_LIST
	uint16_t upstream;    // server that answered, or LOG_NO_UPSTREAM
};

struct client_miss {
	struct client_ticket ticket;
	bool is_stream;    // takes a reply of any length; the connection bounds its questions
	struct msg_miss m; // `path` has only the client
};

struct client_answer {
	struct client_ticket ticket;
	struct answer_source source;
	uint32_t dns_len;
};

enum {
	REPLY_HEADROOM = 2, // bytes before a reply, for the transport's length field
	REPLY_TAILROOM = 64 // bytes after a reply, for an option of the transport
};
static_assert((int)REPLY_TAILROOM <= (int)RING_MESH_TAILROOM);

// The sides of the mesh.
enum { CLIENT_FRONTENDS, CLIENT_RESOLVERS };
// The process owns the mesh, and frees it (ring_mesh_free) after frontends and resolvers.
ATTR_MUST_CHECK int resolver_client_mesh(
	struct ring_mesh **out, unsigned frontends, unsigned resolvers);

// Takes a frontend's message (ring_mesh_take_fn). The resolver loop's thread.
void resolver_client_take(
	void *resolver, unsigned frontend, uint16_t type, uint8_t *msg, uint32_t len);

enum { CLIENT_SETTLED = 64 }; // beside enum shm_msg_type

struct client_settled {
	union client_address address;
	uint64_t arrival_us;
	uint32_t age_s; // age of the record, for a hit
	uint16_t rcode; // RCODE of the reply
	uint16_t qtype;
	uint8_t verdict; // enum verdict
	bool is_tcp;
	uint8_t name_len; // 0: the question was not read
	uint8_t name[DNS_NAME_MAX];
};
