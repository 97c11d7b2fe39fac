// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// struct frontend_tcp, the server of TCP/53: frontend_tcp.c (open, caps, eviction),
// frontend_tcp_report.c (status, tables) and frontend_tcp_listen.c (listeners). Its connections:
// frontend_tcp_conn.h.

#include "base/age_list.h"
#include "base/growth.h"
#include "base/wheel.h"
#include "frontend_tcp.h"
#include "frontend_tcp_clients.h"
#include "frontend_tcp_kind.h"
#include "frontend_tcp_shared.h"

#include <event2/event.h>
#include <event2/event_struct.h>

#include <sys/queue.h>

enum {
	CONN_READ_MAX = 16384, // bytes taken from a socket at a time
	CONN_FRAME_MAX = 2 + DNS_MESSAGE_MAX,
	TCP_MESSAGES_A_TURN = 256, // of all; a look at a connection counts as one
	TCP_ACCEPTS_A_TURN = 64,   // of all listeners
	TCP_STEP_COST = 32,        // of a step of a TLS handshake, in messages
	TCP_ENDS_A_TICK = 32,      // connections whose time is over, of the wheel's ticks
	TCP_CORK = CONN_FRAME_MAX + 16384,
};

TAILQ_HEAD(conn_list, frontend_conn);
TAILQ_HEAD(tcp_proxied_list, tcp_proxied);

struct tcp_listener {
	struct frontend_tcp *tcp;
	enum frontend_tcp_kind kind;
	struct socket_address address;
	struct event event;
	int fd;
	int err; // why it does not listen
};

struct frontend_tcp {
	struct loop *loop;
	struct frontend_tcp_engine engine;
	struct config_tcp set;
	struct frontend_tcp_port serves[FRONTEND_TCP_KINDS];
	struct doh *doh; // of all connections over HTTPS
	struct frontend_names names;
	struct config_proxy_protocol balancers;
	struct tcp_proxied_list proxied; // without their PROXY header yet, longest first
	unsigned proxied_count;
	unsigned files;
	struct age_list ages;
	struct growth growth; // of partial messages; its bytes are among `buffered`
	struct tcp_clients *clients;
	struct frontend_tcp_shared *shared, *own_shared; // own: of one that was given none
	struct share pending, buffered;                  // of tcp.queries, tcp.buffer_kb
	unsigned claims;                                 // of its new connections, on their way
	uint64_t claims_refused;
	struct conn_list by_use;  // all, longest ago first
	struct conn_list stalled; // longest first
	struct conn_list starved; // held as tcp.queries are under way; first come first served
	struct conn_list ready;   // held ones that may go on
	struct conn_list shaking; // in their TLS handshake, the first that began it first
	struct event resume;      // for `ready`, in the next turn
	struct wheel_timer retry; // of listeners that failed, or are paused
	bool accept_paused;
	unsigned accepts_left; // of TCP_ACCEPTS_A_TURN, in this iteration
	int turn_left;         // of TCP_MESSAGES_A_TURN; less than that: `resume` will be called
	uint64_t ends_tick;    // the first that has a turn left for an end,
	unsigned ends_taken;   // and how many are taken, of TCP_ENDS_A_TICK
	struct frontend_conn *corked; // its replies are gathered in `cork`
	uint32_t cork_len;
	unsigned listener_count;
	struct tcp_listener listener[FRONTEND_TCP_LISTENERS_MAX];
	struct frontend_tcp_status count; // gauges `open`, `pending`, `buffered` and all counters
	uint8_t scratch[CONN_READ_MAX];
	uint8_t cork[TCP_CORK];
};

// frontend_tcp.c
unsigned tcp_connections_cap(const struct frontend_tcp *t);
unsigned tcp_idle_ms(const struct frontend_tcp *t);
// Closes the best of a client's connections (NULL: of all) to make room; false: none may be.
// `keeps`: its place among all becomes the caller's; with `client` that of the client, too.
bool tcp_evict(struct frontend_tcp *t, struct tcp_client *client, enum frontend_tcp_end why,
	bool idle_only, bool keeps);
// Room for `n` bytes more in the buffers of `c`; false: it is the one that has to go.
bool tcp_buffer_take(struct frontend_conn *c, size_t n);
void tcp_buffer_give(struct frontend_conn *c, size_t n);

// frontend_tcp_proxy.c
// Takes the descriptor of a new connection. From a balancer its client is in its PROXY header.
void tcp_arrive(struct frontend_tcp *t, int fd, const union client_address *peer,
	enum frontend_tcp_kind kind);
// Ends those without their header whose kind is off; `all`: each.
void tcp_proxied_end(struct frontend_tcp *t, bool all);
void tcp_proxied_tables(const struct frontend_tcp *t, struct table_registry *tables);

// frontend_tcp_listen.c
void tcp_listen(struct frontend_tcp *t); // where it does not yet
void tcp_listen_end(struct frontend_tcp *t);
