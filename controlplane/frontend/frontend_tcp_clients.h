// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A frontend's TCP connections by client: by IPv4 address, or by the /64 of an IPv6 one, because
// one client can use any address of it.
//
// An entry lives as long as its client has a connection, so there are no more entries than
// connections. Buckets are chosen by a keyed hash, so an attacker cannot aim addresses at one of
// them.

#include "frontend_tcp_shared.h"

#include <sys/queue.h>
#include <weir/config.h>

struct frontend_conn;
struct tcp_clients;

struct tcp_client {
	LIST_ENTRY(tcp_client) chain;
	uint8_t key[TCP_CLIENT_KEY]; // 4 or 6, then the prefix
	unsigned count;              // of its connections here, and of claims
	struct tcp_shared_client *shared;
	unsigned pending; // the owner's: questions of all its connections without an answer
	TAILQ_HEAD(, frontend_conn) conns; // by use, longest ago first; the owner's
};

// Of one frontend. -ENOMEM, -errno of getrandom.
ATTR_MUST_CHECK int tcp_clients_new(struct tcp_clients **out, struct frontend_tcp_shared *shared);
void tcp_clients_free(struct tcp_clients *c); // NULL is fine; all have left

// The client's entry, made if there is none. NULL: no memory.
struct tcp_client *tcp_client_join(struct tcp_clients *c, const union client_address *address);
void tcp_client_leave(struct tcp_clients *c, struct tcp_client *client);
// NULL: it has no connection here.
struct tcp_client *tcp_client_find(struct tcp_clients *c, const uint8_t key[TCP_CLIENT_KEY]);

unsigned tcp_clients_count(const struct tcp_clients *c);
size_t tcp_clients_memory(const struct tcp_clients *c);
// Of those here, the one with most connections at all frontends, by looking at all; version 0:
// there is none. How many it has.
unsigned tcp_clients_busiest(const struct tcp_clients *c, struct ip_address *out);
