// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the TCP server's files share: frontend_tcp.c (the server: bounds, eviction, state),
// frontend_tcp_accept.c (from a listening socket to a connection), frontend_tcp_conn.c (one
// connection), and what connections speak: frontend_tcp_stream.c and frontend_tcp_doh.c. Frontend
// loop's thread.

#include "base/age_list.h"
#include "base/growth.h"
#include "base/wheel.h"
#include "frontend_tcp.h"
#include "frontend_tcp_shared.h"

#include <event2/event.h>
#include <event2/event_struct.h>

#include <stddef.h>
#include <sys/queue.h>

enum {
	CONN_READ_MAX = 16384, // bytes taken from a socket at a time
	CONN_FRAME_MAX = 2 + DNS_MESSAGE_MAX,
	TCP_MESSAGES_A_TURN = 256, // messages of all connections; a turn of one counts as one more
	TCP_ACCEPTS_A_TURN = 64,   // new connections of all listeners
	TCP_STEP_COST = 32,        // messages that one step of a TLS handshake counts as
	TCP_ENDS_A_TICK = 32,      // expired connections that end in one tick of the wheel
	TCP_CORK = CONN_FRAME_MAX + 16384,
};

struct frontend_conn;
struct tcp_chunk;

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
	struct doh *doh;             // shared by all connections over HTTPS
	struct frontend_names names; // a copy of the shared ones (tcp_names)
	unsigned names_turn;
	struct config_proxy_protocol balancers;
	struct tcp_proxied_list proxied; // connections without a PROXY header yet, longest first
	unsigned proxied_count;
	unsigned files;
	struct age_list ages;
	struct growth growth; // buffers of partial messages, which are among `buffered`
	struct tcp_clients *clients;
	struct frontend_tcp_shared *shared, *own_shared; // own: of a server that was given none
	struct share pending, buffered;                  // shares of tcp.queries, tcp.buffer_kb
	unsigned claims;                                 // claims of its new connections
	uint64_t claims_refused;
	struct conn_list by_use;  // all connections, longest ago first
	struct conn_list stalled; // connections with bytes buffered, longest first
	struct conn_list starved; // connections held at the bound of tcp.queries
	struct conn_list ready;   // held connections that may go on
	struct conn_list shaking; // connections in their TLS handshake, longest first
	struct event resume;      // for `ready`, in the next iteration
	struct wheel_timer retry; // for listeners that failed or are paused
	bool accept_paused;
	enum frontend_tcp_drain drain; // that its connections follow
	unsigned accepts_left; // accepts that this iteration may still make (TCP_ACCEPTS_A_TURN)
	int turn_left;       // messages until the next turn; `resume` restores TCP_MESSAGES_A_TURN
	uint64_t ends_tick;  // the first tick with room for an end
	unsigned ends_taken; // ends in that tick, of TCP_ENDS_A_TICK
	struct frontend_conn *corked; // the connection whose replies are gathered in `cork`
	uint32_t cork_len;
	unsigned listener_count;
	struct tcp_listener listener[FRONTEND_TCP_LISTENERS_MAX];
	struct frontend_tcp_status count; // gauges `open`, `pending`, `buffered` and all counters
	uint8_t scratch[CONN_READ_MAX];
	uint8_t cork[TCP_CORK];
};

// What a connection of the TCP server speaks: DNS messages with their length (RFC 7766) in clear
// text or over TLS (RFC 7858), or in HTTP (RFC 8484, frontend_tcp_doh.c).
//
// Each listener has a kind, and so have its connections. All else is the same for every kind:
// places, deadlines, eviction, access, the TLS handshake, buffers of what a client does not read
// (frontend_tcp_conn.c). A kind sees clear bytes only. This is its contract:
// * `take` gets all bytes that a client sends, in order and in pieces of any size. A kind with an
//   incomplete message keeps it by conn_in_keep, which gives the message its deadline, or in an
//   object of its own at conn->of_kind.
// * It asks by conn_question_take, which may refuse: too much is in progress. Then it keeps what it
//   has, sets conn->held, calls conn_hold, and is called by `resume` later. Bytes that the client
//   sends meanwhile wait in the kernel. With a place it calls conn_ask, for a session of its own
//   making: one for each destination of replies. A session that ends with questions (`pending`)
//   gives their places back by conn_pending_end, before engine.end.
// * A reply at once is the result of conn_ask. A later one comes by session->reply, which calls
//   conn_pending_end(conn, 1), sends, and ends with conn_answered, which may free the connection.
// * It sends by conn_out_put, any bytes, as many as it likes up to CONN_OUT_MAX unread ones.
// * A result other than FRONTEND_TCP_OPEN ends the connection. conn->last set to a reason ends it
//   once all is answered.
struct tcp_kind {
	enum frontend_transport transport; // the transport of its questions
	const char *alpn;                  // protocols in wire form, best first; NULL: clear text
	// For kinds over TLS: the handshake of a new connection is done. NULL: nothing to do.
	enum frontend_tcp_end (*begin)(struct frontend_conn *c);
	enum frontend_tcp_end (*take)(struct frontend_conn *c, const uint8_t *p, size_t len);
	enum frontend_tcp_end (*resume)(struct frontend_conn *c); // a held connection has a turn
	void (*end)(struct frontend_conn *c); // frees of_kind, once begin was called. NULL: nothing
	// For kinds with requests or replies in an object of their own; all of deadline, expire and
	// part, or none of them. deadline: when `expire` is due; UINT64_MAX: no request or response
	// is incomplete. part: the connection asks no more.
	uint64_t (*deadline)(const struct frontend_conn *c);
	enum frontend_tcp_end (*expire)(struct frontend_conn *c, uint64_t now_ms);
	enum frontend_tcp_end (*part)(struct frontend_conn *c);
	// Has the connection replies that leave only after the client has sent more? NULL: never.
	// Such a connection is read to its end, though it asks nothing more.
	bool (*owes)(const struct frontend_conn *c);
};

// tcp_kind_clear and tcp_kind_dot are frontend_tcp_stream.c's.
extern const struct tcp_kind tcp_kind_clear, tcp_kind_dot, tcp_kind_doh;
const struct tcp_kind *tcp_kind_of(enum frontend_tcp_kind kind);

enum {
	CONN_OUT_SOFT = 65536,  // unread replies from which on no question is read
	CONN_OUT_MAX = 262144,  // unread replies at which the connection is closed
	CONN_DRAIN_MS = 10000,  // what waited at the begin of this time has left at its end
	CONN_ON_ITS_WAY = 4096, // bytes in the kernel that weir's end of a connection does not drop
	CONN_PARTING_MS = 2000, // time for the client to close, when all is answered
	CONN_LOOK_MS = 500,     // interval of checks whether the client has read
	CONN_DRAINED_MS = 5000, // for the questions of one that comes during a drain
	CONN_MESSAGES_A_TURN = 32,
};

struct frontend_conn {
	struct frontend_session session;
	struct frontend_tcp *tcp;
	const struct tcp_kind *speaks;
	enum frontend_tcp_kind kind;
	struct tls_conn *tls; // NULL: clear text
	void *of_kind;        // the kind's own object
	TAILQ_ENTRY(frontend_conn) by_use, by_client, stall, wait, shake;
	struct tcp_client *client;
	union client_address peer;
	struct event readable, writable;
	struct wheel_timer timer;
	int fd;
	enum frontend_tcp_end last; // nothing more is read: how it ends once all is answered
	unsigned pending;           // places that its questions have taken of tcp.queries
	uint32_t asked;             // questions so far
	bool reading, writing;      // events that are added
	bool shaking;               // the TLS handshake is not done
	bool more;                  // TLS holds bytes that make no event of the socket
	bool blocked;               // TLS has to write before it can read
	bool pads;                  // the client pads its queries
	bool stalled;               // listed in `stalled`: part of a message or reply is here
	bool parting; // the last reply is sent: input is dropped until the client closes
	bool ended;   // the client sends nothing more
	bool held;    // complete messages are kept, because too much is in progress
	bool waiting,
		starving; // waiting: in the list `ready`, or, if starving, in `starved`
	struct age_link age;
	bool gave_place, gave_client_place; // the connection that replaces it has its place
	bool is_leaving;                    // open since before the drain, which has yet to end it
	bool is_late;                       // leaving, and in its TLS handshake as the drain began
	bool keepalive;                     // the client asked how long it may be silent
	uint64_t used_ms;                   // time of its last question or reply
	uint64_t serves_ms;                 // since when it may ask
	uint64_t turn_ms;                   // when it ends or is checked; 0: not set
	uint64_t message_ms;                // time of the first byte of what is in `in`
	uint64_t drain_ms;                  // begin of the present CONN_DRAIN_MS
	uint64_t sent, drain_mark; // bytes sent so far, and at least by the end of CONN_DRAIN_MS
	uint8_t *in;               // bytes of messages that are not asked yet; NULL: no bytes
	uint32_t in_len, in_cap;
	struct tcp_chunk *out, **out_end;
	uint32_t out_len;
};

static inline struct frontend_conn *conn_of(struct frontend_session *s)
{
	return (struct frontend_conn *)(void *)((char *)s
						- offsetof(struct frontend_conn, session));
}

// A new connection and its client.
struct tcp_arrival {
	union client_address peer;
	enum frontend_tcp_kind kind;
	bool is_named; // a balancer named its client
	int fd;
};

// frontend_tcp.c
unsigned tcp_connections_cap(const struct frontend_tcp *t);
unsigned tcp_idle_ms(const struct frontend_tcp *t);
// Closes the best of a client's connections (NULL: of all) to make room; false: no connection may
// be closed. `keeps`: the caller gets its place among all, and with `client` its client's place,
// too.
bool tcp_evict(struct frontend_tcp *t, struct tcp_client *client, enum frontend_tcp_end why,
	bool idle_only, bool keeps);
// Room for `n` bytes more in the buffers of `c`; false: `c` itself has to be closed.
bool tcp_buffer_take(struct frontend_conn *c, size_t n);
void tcp_buffer_give(struct frontend_conn *c, size_t n);

// frontend_tcp_accept.c
void tcp_listen(struct frontend_tcp *t); // listens where it does not yet
void tcp_listen_end(struct frontend_tcp *t);
// Takes the descriptor; closes it when it must be refused.
void tcp_accept_conn(struct frontend_tcp *t, const struct tcp_arrival *a);
void tcp_claim_tables(const struct frontend_tcp *t, struct table_registry *tables);
// frontend_tcp_proxied.c
// Takes the descriptor of a balancer's connection, whose header says the client.
void tcp_proxied_begin(struct frontend_tcp *t, int fd, const union client_address *peer,
	enum frontend_tcp_kind kind);
// Ends connections without their PROXY header whose kind is off; `all`: each.
void tcp_proxied_end(struct frontend_tcp *t, bool all);
void tcp_proxied_tables(const struct frontend_tcp *t, struct table_registry *tables);

// frontend_tcp_conn.c. An end other than FRONTEND_TCP_OPEN is for the caller to carry out.
// Begins a connection that has both places; takes the descriptor and the client's reference. False:
// there is no memory, or no certificate for TLS, and nothing is taken.
ATTR_MUST_CHECK bool conn_start(
	struct frontend_tcp *t, const struct tcp_arrival *a, struct tcp_client *client);
void conn_close(struct frontend_conn *c, enum frontend_tcp_end why);
void conn_touch(struct frontend_conn *c, uint64_t now_ms); // the connection was used
// How long the connection may be silent, for the keepalive option.
unsigned conn_idle_ms(const struct frontend_conn *c);
void conn_arm(struct frontend_conn *c); // sets its timer, by the limits in force
// Has the connection replies that its client does not let leave yet?
bool conn_owes(const struct frontend_conn *c);

// Takes a place for one more question under all bounds; false: not now.
bool conn_question_take(struct frontend_conn *c);
void conn_question_give(struct frontend_conn *c); // a place that is not needed
// Asks a message that has a place; unless it is to be answered later, the place is given back.
enum frontend_outcome conn_ask(struct frontend_conn *c, struct frontend_session *s,
	const uint8_t *msg, size_t len, struct frontend_reply *out);
// The names of groups in force.
const struct frontend_names *tcp_names(struct frontend_tcp *t);
// The group of the name in the client's certificate, else that of its path (0: no group), else that
// of the name by which it calls this server; 0: no group.
unsigned conn_group(const struct frontend_conn *c, unsigned by_path);
// Called after a later answer, whose place was given back, was sent with the result `end`.
void conn_answered(struct frontend_conn *c, enum frontend_tcp_end end);
void conn_held_count(struct frontend_conn *c); // counts that it was held just now
// Lets a held connection wait for its turn, or for places that others have. While it has enough in
// progress itself it waits for that only, and this is called again when some of it ends.
void conn_hold(struct frontend_conn *c);
// `count` of its questions have ended: other connections of its client may go on.
void conn_pending_end(struct frontend_conn *c, unsigned count);
void conn_feed(struct frontend_tcp *t);        // readies one of `starved`, if there is room
void conn_resume_some(struct frontend_tcp *t); // gives turns to `ready`

// Keeps `len` bytes from p on, which may lie in c->in, as the whole content of c->in.
enum frontend_tcp_end conn_in_keep(struct frontend_conn *c, const uint8_t *p, size_t len);
void conn_in_drop(struct frontend_conn *c);
// Sends as many of the bytes as the socket takes and keeps the rest.
enum frontend_tcp_end conn_out_put(struct frontend_conn *c, const uint8_t *p, size_t n);
enum frontend_tcp_end conn_cork_flush(struct frontend_conn *c); // sends tcp->cork, which is `c`'s
// Sends bytes and returns how many the socket took; 0: it takes no bytes now; -errno.
ssize_t conn_send(struct frontend_conn *c, const struct iovec *part, unsigned count);

// frontend_tcp_stream.c: begins the session of a new connection, whose `fd` is set.
void stream_session_begin(struct frontend_conn *c);
