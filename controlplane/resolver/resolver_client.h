// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The resolver's door for a frontend of this process, whose clients send DNS messages to sockets of
// the kernel (frontend.h). Their questions join those of the workers' clients.
//
// A frontend passes a question with a ticket, and gets the answer with that ticket back: during
// resolver_client_ask, from the loop later, or never, if there is no answer after SERVFAIL is due
// (1.9 s). The resolver knows nothing of the frontend but the function that takes answers, so two
// resolvers may have a frontend each. All of this runs on the resolver loop's thread, or before the
// loop runs. A question costs a lookup in L0. One that waits costs a copy of its query while the
// query log records whole messages (kept_query.h); nothing else is allocated.

#include <endian.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <weir/attr.h>
#include <weir/log_msg.h>
#include <weir/shm_msg.h>
#include <weir/shm_stats.h>

struct dns_identity;
struct dns_query;
struct answer_policy;
struct kept_queries;
struct resolver;
struct resolver_log;

// Identifies a question of a frontend's client: a place in its table, and its use count. A ticket
// of an earlier use is ignored.
struct client_ticket {
	uint32_t slot, life;
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

// The kind and the source of an answer that was sent: for the counters and the query log.
struct told {
	enum answer_kind kind;
	bool from_l1;      // reported as ANSWER_CACHED
	uint16_t list;     // that blocked, or LOG_NO_LIST
	uint16_t upstream; // that answered, or LOG_NO_UPSTREAM
};

enum {
	REPLY_HEADROOM = 2, // bytes before a reply, the transport's: for a length
	REPLY_TAILROOM = 64 // behind it: for an option of the transport's
};

// The answer to one question: `len` bytes at `msg`, with room around it as above, owned by the
// resolver until the function returns. It may end tickets, but may not ask questions. `query` is
// for the query log.
typedef void (*resolver_client_fn)(void *arg, const struct client_ticket *ticket,
	const struct dns_query *query, uint8_t *msg, uint16_t len, const struct told *told);
// Sets the receiver of answers; NULL: no frontend, and tickets are ignored.
void resolver_client_serve(struct resolver *r, resolver_client_fn answer, void *arg);

struct resolver_client {
	struct client_ticket ticket;
	const union client_address *address;
	const uint8_t *name; // of the question as the client spelled it, in wire form
	uint64_t arrival_us;
	uint16_t policy; // generation, modulo 65536, of the image that `group` is of
	uint8_t group;
	bool is_stream; // takes a reply of any length, and has a bound of its own on its questions
};

// Returns the trace of a watched question, else 0; resolver_client_asked ends the call.
uint32_t resolver_client_ask(struct resolver *r, const struct dns_query *q, uint16_t view,
	const struct resolver_client *client);
// It was answered during the call, with this verdict of a worker's; or it waits.
void resolver_client_answered(struct resolver *r, uint32_t trace, unsigned verdict);
void resolver_client_waits(struct resolver *r, uint32_t trace);
// A query that the frontend settled without the resolver, for who watches.
void resolver_client_settled(struct resolver *r, const struct dns_query *q,
	const union client_address *address, bool is_tcp, unsigned verdict);

// What answers are checked against now; NULL: nothing yet.
const struct answer_policy *resolver_answer_policy(const struct resolver *r);
struct resolver_log *resolver_log_of(const struct resolver *r);
struct kept_queries *resolver_kept_queries(struct resolver *r); // those of clients that wait
bool resolver_has_workers(const struct resolver *r);            // a data plane is attached
