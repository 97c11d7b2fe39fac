// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A connection of TCP/53: frontend_tcp_admit.c (its places and its start), frontend_tcp_conn.c (its
// life and deadlines), frontend_tcp_claim.c (places at other frontends), frontend_tcp_ask.c
// (questions under bounds, order of turns), frontend_tcp_stream.c (DNS messages with their length,
// in and out), frontend_tcp_buffer.c (partial messages),
// frontend_tcp_tls.c (its TLS handshake) and frontend_tcp_io.c (its socket). What its bytes mean is
// of its kind (frontend_tcp_kind.h). Frontend loop's thread.

#include "frontend_tcp_internal.h"

#include <stddef.h>

enum {
	CONN_OUT_SOFT = 65536,  // unread replies from which on no question is read
	CONN_OUT_MAX = 262144,  // unread replies at which the connection is closed
	CONN_DRAIN_MS = 10000,  // what waited at its begin has left at its end
	CONN_ON_ITS_WAY = 4096, // bytes in the kernel that an end of ours does not drop
	CONN_PARTING_MS = 2000, // for the client to close, when all is answered
	CONN_LOOK_MS = 500,     // interval of checks whether the client has read
	CONN_MESSAGES_A_TURN = 32,
};

struct tcp_chunk { // of bytes that wait to be sent
	struct tcp_chunk *next;
	uint32_t len, pos;
	uint8_t bytes[];
};

struct frontend_conn {
	struct frontend_session session;
	struct frontend_tcp *tcp;
	const struct tcp_kind *speaks;
	enum frontend_tcp_kind kind;
	struct tls_conn *tls; // NULL: clear text
	void *of_kind;        // the kind's own
	TAILQ_ENTRY(frontend_conn) by_use, by_client, stall, wait, shake;
	struct tcp_client *client;
	union client_address peer;
	struct event readable, writable;
	struct wheel_timer timer;
	int fd;
	enum frontend_tcp_end last; // nothing more is read: how it ends once all is answered
	unsigned pending;           // of its questions, as the server counts
	uint32_t asked;             // all of them
	bool reading, writing;      // events that are added
	bool shaking;               // in its TLS handshake
	bool more;                  // bytes are here that the socket says nothing of
	bool blocked;               // TLS has to write before it can read
	bool pads;                  // the client pads its queries
	bool stalled;               // in the server's list of these: it has bytes buffered
	bool parting; // its last reply is sent: input is dropped until the client closes
	bool ended;   // the client sends nothing more
	bool held;    // a whole message is in `in`, but too much is under way
	bool waiting,
		starving; // in a list of held ones: for its turn, or for resources that others use
	struct age_link age;
	bool gave_place, gave_client_place; // to the connection that it makes room for
	bool keepalive;                     // the client asked how long it may be silent
	uint64_t used_ms;                   // its last question or reply
	uint64_t turn_ms;                   // when it expires or is checked; 0: never
	uint64_t message_ms;                // the first byte of what is in `in`
	uint64_t drain_ms;                  // a look at how it reads; with that:
	uint64_t sent, drain_mark;
	uint8_t *in; // what came of messages that are not asked yet; NULL: nothing
	uint32_t in_len, in_cap;
	struct tcp_chunk *out, **out_end;
	uint32_t out_len;
};

static inline struct frontend_conn *conn_of(struct frontend_session *s)
{
	return (struct frontend_conn *)(void *)((char *)s
						- offsetof(struct frontend_conn, session));
}

// A connection that wants to be one of a client's.
struct tcp_arrival {
	union client_address peer;
	enum frontend_tcp_kind kind;
	bool is_named; // a balancer named its client
	int fd;
};

// frontend_tcp_admit.c
// Takes the descriptor; closes it when it must be refused.
void conn_open(struct frontend_tcp *t, const struct tcp_arrival *a);
enum conn_place { CONN_PLACED, CONN_FULL, CONN_CLIENT_FULL }; // FULL: the client's place is taken
// One that has both places; takes the descriptor and the client's reference.
void conn_start(struct frontend_tcp *t, const struct tcp_arrival *a, struct tcp_client *client);
// Ends one that has none, or (`has_client_place`) the client's; fd -1: it is closed.
void conn_refuse(struct frontend_tcp *t, int fd, struct tcp_client *client, bool has_client_place);
void conn_refuse_count(struct frontend_tcp *t, enum conn_place place);
// frontend_tcp_conn.c
void conn_timer(void *conn); // wheel_timer.fn
void conn_readable(evutil_socket_t fd, short what, void *conn);
void conn_writable(evutil_socket_t fd, short what, void *conn);
void conn_close(struct frontend_conn *c, enum frontend_tcp_end why);
void conn_touch(struct frontend_conn *c, uint64_t now_ms); // it was used
// How long it may be silent, for the keepalive option.
unsigned conn_idle_ms(const struct frontend_conn *c);
void conn_arm(struct frontend_conn *c); // to its deadline, by the limits in force
// Has it replies that its client does not let leave yet?
bool conn_owes(const struct frontend_conn *c);
// After whatever happened to it: closed, or waits for the right things.
void conn_settle(struct frontend_conn *c, enum frontend_tcp_end end);

// frontend_tcp_claim.c: asks the other frontends for a place. Takes the descriptor, the reference,
// and with CONN_FULL the client's place. False: there are no others, or too many claims.
ATTR_MUST_CHECK bool tcp_claim_begin(struct frontend_tcp *t, const struct tcp_arrival *a,
	struct tcp_client *client, enum conn_place place);
void tcp_claim_tables(const struct frontend_tcp *t, struct table_registry *tables);

// frontend_tcp_stream.c
// Of connections that speak DNS messages with their length. Takes bytes at p, received or held
// back: asks the whole messages, sends their replies together and keeps the rest.
enum frontend_tcp_end conn_take(struct frontend_conn *c, const uint8_t *p, size_t len);
enum frontend_tcp_end conn_take_held(struct frontend_conn *c);
void conn_session_begin(struct frontend_conn *c); // of a new one, which has its `fd`

// frontend_tcp_ask.c
// A place for one more question, among all that bound them; false: none now.
bool conn_question_take(struct frontend_conn *c);
void conn_question_give(struct frontend_conn *c); // a place that is not needed
// Asks a message that has a place; unless it is to be answered later, the place is given back.
enum frontend_outcome conn_ask(struct frontend_conn *c, struct frontend_session *s,
	const uint8_t *msg, size_t len, struct frontend_reply *out);
// The group of the name in the client's certificate, else that of its path (0: none), else that of
// the name by which it calls this server; 0: none.
unsigned conn_group(const struct frontend_conn *c, unsigned by_path);
// After a later answer, whose place is given back, was sent with this result.
void conn_answered(struct frontend_conn *c, enum frontend_tcp_end end);
// Reads the received bytes; call it when `c` has its turn.
enum frontend_tcp_end conn_read(struct frontend_conn *c);
bool conn_turn(struct frontend_conn *c);       // false: it will have one later
void conn_again(struct frontend_conn *c);      // in the next turn, without an event of its socket
void conn_held_count(struct frontend_conn *c); // it was held just now
// A held one waits for its turn, or for others; while it has enough under way itself it waits for
// nothing but that, and this is called again when some of it ends.
void conn_hold(struct frontend_conn *c);
void conn_wait_end(struct frontend_conn *c);
// `count` of its questions have ended: others of its client may go on.
void conn_pending_end(struct frontend_conn *c, unsigned count);
void conn_feed(struct frontend_tcp *t);        // one of `starved`, if there is room
void conn_resume_some(struct frontend_tcp *t); // of `ready`

// frontend_tcp_buffer.c. An end other than FRONTEND_TCP_OPEN is for the caller to carry out.
// Keeps `len` bytes from p on, which may lie in c->in, as all that is in c->in.
enum frontend_tcp_end conn_in_keep(struct frontend_conn *c, const uint8_t *p, size_t len);
// Room for the rest of the message of which a part is in c->in; *room bytes of it may be written
// at the returned place. NULL: no memory.
uint8_t *conn_in_room(struct frontend_conn *c, size_t *room);
void conn_in_drop(struct frontend_conn *c);
// Sends as many of the bytes as the socket takes and keeps the rest.
enum frontend_tcp_end conn_out_put(struct frontend_conn *c, const uint8_t *p, size_t n);
enum frontend_tcp_end conn_out_flush(struct frontend_conn *c);  // sends the kept bytes
enum frontend_tcp_end conn_cork_flush(struct frontend_conn *c); // the same for tcp->cork, of `c`
void conn_out_drop(struct frontend_conn *c);

// frontend_tcp_tls.c. False: there is no certificate, or no memory.
bool conn_tls_begin(struct frontend_conn *c);
enum frontend_tcp_end conn_shake(struct frontend_conn *c); // a step of its handshake
void conn_tls_end(struct frontend_conn *c, enum frontend_tcp_end why);

// frontend_tcp_io.c: bytes taken or sent; 0: none now; -errno; conn_recv at the end: -ENODATA.
ssize_t conn_recv(struct frontend_conn *c, uint8_t *p, size_t n);
ssize_t conn_send(struct frontend_conn *c, const struct iovec *part, unsigned count);
enum frontend_tcp_end conn_failed(ssize_t err);     // by what these have returned
void conn_send_end(struct frontend_conn *c);        // nothing more will be
bool conn_is_unread(const struct frontend_conn *c); // the kernel has over CONN_ON_ITS_WAY of ours
void conn_cut(struct frontend_conn *c); // resets the connection, which drops these bytes
