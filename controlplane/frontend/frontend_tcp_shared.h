// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the TCP servers of all frontends have in common: places for connections, in all and of each
// client, the bounds on questions and buffers (base/share.h), and the certificates for TLS.
//
// Made before the servers are opened, freed once all are closed. Counts are atomic, and a place is
// taken by compare and swap, so no bound is ever passed. `lock` covers the table of clients: it is
// held for a look at one bucket, when the first connection of a client at a frontend opens and when
// the last one ends. `tls_lock` covers the certificates, for a copy of a pointer, and
// `names_lock` the names of groups, for a copy of these after a change. The table cannot
// be full: it has no more entries than connections and claims.

#include "base/loop.h"
#include "base/share.h"
#include "frontend.h"
#include "frontend_names.h"
#include "frontend_socket.h"
#include "tls/tls_server.h"

#include <pthread.h>
#include <sys/queue.h>
#include <weir/config.h>
#include <weir/keyhash.h>
#include <weir/shm_epoch.h>

enum { TCP_CLIENT_KEY = 9, TCP_SHARED_BUCKETS = 4096 };

struct frontend_tcp;

struct tcp_shared_client {
	LIST_ENTRY(tcp_shared_client) chain;
	uint8_t key[TCP_CLIENT_KEY];
	_Atomic unsigned frontends; // frontends that have an entry for it; written under the lock
	_Atomic unsigned open;      // places for connections that the client has taken
};

struct frontend_tcp_shared {
	unsigned frontends;
	struct frontend_tcp *one[EPOCH_OWN_MAX]; // set before the loops run
	struct share_pool pending, buffered;
	struct frontend_sockets sockets;
	_Atomic unsigned open;      // places for connections that are taken
	_Atomic unsigned clients;   // clients in the table
	_Atomic unsigned drain;     // enum frontend_tcp_drain
	pthread_mutex_t tls_lock;   // protects tls and tls_why
	struct tls_server *tls;     // certificates in force; NULL: no certificates
	char tls_why[TLS_WHY_MAX];  // error of the newest files; "": no error
	pthread_mutex_t names_lock; // protects names
	struct frontend_names names;
	_Atomic unsigned names_turn; // another number for other names
	struct keyhash_secret secret;
	pthread_mutex_t lock; // protects the table
	LIST_HEAD(, tcp_shared_client) bucket[TCP_SHARED_BUCKETS];
};

// -ENOMEM, or the error of getrandom(2).
ATTR_MUST_CHECK int frontend_tcp_shared_new(struct frontend_tcp_shared **out, unsigned frontends);
size_t tcp_shared_memory(const struct frontend_tcp_shared *s);
void frontend_tcp_shared_free(struct frontend_tcp_shared *s); // NULL is fine

// From now on new connections over TLS use `server`, whose reference passes to `s`. `why`: the
// error of the newest files, or "". `server` NULL: with an error the certificates in force stay;
// without one weir has no certificates any more. The last connection that uses old certificates
// frees their keys. Any thread.
void frontend_tcp_shared_certify(
	struct frontend_tcp_shared *s, struct tls_server *server, const char *why);
// The certificates in force, with a reference for the caller to free; NULL: no certificates. Any
// thread.
struct tls_server *tcp_shared_tls(struct frontend_tcp_shared *s);
void frontend_tcp_shared_tls_why(struct frontend_tcp_shared *s, char why[TLS_WHY_MAX]);
bool tcp_shared_has_tls(struct frontend_tcp_shared *s);

// The names of the groups whose policy image has been published. Any thread.
void frontend_tcp_shared_name(struct frontend_tcp_shared *s, const struct frontend_names *names);
// Copies them if they have changed since `*turn`, at first 0.
void tcp_shared_names(struct frontend_tcp_shared *s, unsigned *turn, struct frontend_names *out);

static inline bool tcp_place_take(_Atomic unsigned *taken, unsigned most)
{
	unsigned now = atomic_load_explicit(taken, memory_order_relaxed);
	while (now < most)
		if (atomic_compare_exchange_weak_explicit(
			    taken, &now, now + 1, memory_order_relaxed, memory_order_relaxed))
			return true;
	return false;
}

static inline void tcp_place_give(_Atomic unsigned *taken)
{
	atomic_fetch_sub_explicit(taken, 1, memory_order_relaxed);
}

// A frontend's TCP connections by client: by IPv4 address, or by the /64 of an IPv6 one, because
// one client can use any address of it.
//
// An entry lives as long as its client has a connection, so there are no more entries than
// connections. Buckets are chosen by a keyed hash, so an attacker cannot aim addresses at one of
// them.

struct frontend_conn;
struct tcp_clients;

struct tcp_client {
	LIST_ENTRY(tcp_client) chain;
	uint8_t key[TCP_CLIENT_KEY]; // 4 or 6, then the prefix
	unsigned count;              // the client's connections and claims here
	struct tcp_shared_client *shared;
	unsigned pending; // questions of all its connections without an answer; the owner's
	TAILQ_HEAD(, frontend_conn) conns; // longest unused first; the owner's
};

// Makes the table of one frontend. -ENOMEM, -errno of getrandom.
ATTR_MUST_CHECK int tcp_clients_new(struct tcp_clients **out, struct frontend_tcp_shared *shared);
void tcp_clients_free(struct tcp_clients *c); // NULL is fine; all clients have left

// The client's entry, made if there is no entry. NULL: no memory.
struct tcp_client *tcp_client_join(struct tcp_clients *c, const union client_address *address);
void tcp_client_leave(struct tcp_clients *c, struct tcp_client *client);
// NULL: the client has no connection here.
struct tcp_client *tcp_client_find(struct tcp_clients *c, const uint8_t key[TCP_CLIENT_KEY]);

unsigned tcp_clients_count(const struct tcp_clients *c);
size_t tcp_clients_memory(const struct tcp_clients *c);
// Finds, by looking at all clients with connections here, the one with most connections at all
// frontends; returns how many it has. version 0: there is no client.
unsigned tcp_clients_busiest(const struct tcp_clients *c, struct ip_address *out);
