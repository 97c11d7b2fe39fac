// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Shared by the files of frontend_udp.h alone: frontend_udp.c (sockets, batches, replies) and
// frontend_udp_proxy.c (queries that balancers forward). Frontend loop's thread.

#include "frontend.h"
#include "frontend_proxy.h"
#include "frontend_udp.h"

#include <event2/event.h>

#include <sys/queue.h>
#include <sys/socket.h>

struct udp_socket {
	struct frontend_session session;
	struct frontend_udp *owner;
	struct ip_address address;
	int fd;    // -1: not bound
	int error; // the last error, as logged
	struct event *readable;
};

struct outgoing {
	int fd;
	union client_address client;
	struct iovec iov;
	uint8_t msg[MSG_DNS_MAX];
};

struct udp_forwarded;
TAILQ_HEAD(udp_forwarded_list, udp_forwarded);

struct frontend_udp {
	struct publisher *publisher;
	struct frontend *frontend;
	struct loop *loop;
	struct event *retry; // while some address is not bound
	struct event *flush; // at the end of a turn that left replies
	uint16_t port;
	unsigned socket_count, out_count;
	struct udp_socket socket[CONFIG_ADDRESSES_MAX];
	struct config_proxy_protocol balancers;
	struct udp_forwarded_list forwarded; // questions that wait for the resolver
	unsigned forwarded_count;
	struct udp_forwarded *forwarded_spare; // NULL: none; not in the count
	struct frontend_udp_status status;     // counters only
	struct mmsghdr head[FRONTEND_UDP_BATCH];
	struct iovec iov[FRONTEND_UDP_BATCH];
	union client_address client[FRONTEND_UDP_BATCH];
	uint8_t msg[FRONTEND_UDP_BATCH][FRONTEND_UDP_QUERY_MAX];
	struct outgoing out[FRONTEND_UDP_BATCH];
};

// A query, received or behind its PROXY header.
struct udp_query {
	const union client_address *sender;
	const uint8_t *msg;
	size_t len;
};

// Puts a reply with the others of this turn. `later`: out of the turn's own flush.
void udp_reply_put(struct frontend_udp *u, int fd, const union client_address *to,
	const struct frontend_reply *reply);
void udp_reply_put_later(struct frontend_udp *u, int fd, const union client_address *to,
	const struct frontend_reply *reply);
// Asks the engine for the sender.
void udp_query_ask(struct udp_socket *s, const struct udp_query *q);

// A query of a balancer. The engine has a session for each that waits for the resolver, so that its
// reply finds the balancer; FRONTEND_UDP_FORWARDED of a frontend at most, some 200 bytes each.
void udp_forwarded_take(struct udp_socket *s, const struct udp_query *q);
void udp_forwarded_end(struct frontend_udp *u); // all of them
void udp_forwarded_tables(const struct frontend_udp *u, struct table_registry *tables);
