// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the files of TCP/53 share: frontend_tcp.c (open, caps, eviction, status),
// frontend_tcp_listen.c (listeners), frontend_tcp_conn.c (a connection's life and deadlines),
// frontend_tcp_ask.c (messages in, replies out, whose turn it is), frontend_tcp_buffer.c (what came
// or went in part) and frontend_tcp_io.c (its socket).

#include "base/age_list.h"
#include "base/growth.h"
#include "base/wheel.h"
#include "frontend_tcp.h"
#include "frontend_tcp_clients.h"

#include <event2/event.h>
#include <event2/event_struct.h>

#include <sys/queue.h>

struct iovec;

enum {
	CONN_READ_MAX = 16384,  // octets taken from a socket at a time
	CONN_OUT_SOFT = 65536,  // no further question while so much is unread
	CONN_OUT_MAX = 262144,  // closed: replies to what was under way then
	CONN_DRAIN_MS = 10000,  // what waited at its begin has left at its end
	CONN_ON_ITS_WAY = 4096, // octets in the kernel that an end of ours does not drop
	CONN_PARTING_MS = 2000, // for the client to close, when all is answered
	CONN_LOOK_MS = 500,     // whether it has read, while nothing else would tell
	CONN_MESSAGES_A_TURN = 32,
	CONN_FRAME_MAX = 2 + DNS_MESSAGE_MAX,
	TCP_MESSAGES_A_TURN = 256, // of all; a look at a connection counts as one
	TCP_ACCEPTS_A_TURN = 64,   // of all listeners
	TCP_ENDS_A_TICK = 32,      // connections whose time is over, of the wheel's ticks
	TCP_CORK = CONN_FRAME_MAX + 16384,
};

struct tcp_chunk { // of octets that wait to be sent
	struct tcp_chunk *next;
	uint32_t len, pos;
	uint8_t octets[];
};

struct frontend_conn {
	struct frontend_session session;
	struct frontend_tcp *tcp;
	TAILQ_ENTRY(frontend_conn) by_use, by_client, stall, wait;
	struct tcp_client *client;
	union client_address peer;
	struct event readable, writable;
	struct wheel_timer timer;
	int fd;
	enum frontend_tcp_end last; // nothing more is read: how it ends once all is answered
	unsigned pending;           // of its questions, as the server counts
	uint32_t asked;             // all of them
	bool reading, writing;      // events that are added
	bool stalled;               // in the server's list of these: it has octets buffered
	bool parting; // its last reply has been sent: what comes is dropped until the client's end
	bool ended;   // the client sends nothing more
	bool held;    // a whole message is in `in`, but too much is under way
	bool waiting, starving; // in a list of held ones: for its turn, or for what others use
	struct age_link age;
	bool keepalive;      // the client asked how long it may be silent
	uint64_t used_ms;    // its last question or reply
	uint64_t turn_ms;    // its time is over, and it ends, or is looked at, then; 0: none
	uint64_t message_ms; // the first octet of what is in `in`
	uint64_t drain_ms;   // a look at how it reads; with that:
	uint64_t sent, drain_mark;
	uint8_t *in; // what came of messages that are not asked yet; NULL: nothing
	uint32_t in_len, in_cap;
	struct tcp_chunk *out, **out_end;
	uint32_t out_len;
};
TAILQ_HEAD(conn_list, frontend_conn);

struct tcp_listener {
	struct frontend_tcp *tcp;
	struct socket_address address;
	struct event event;
	int fd;
	int err; // why it does not listen
};

struct frontend_tcp {
	struct loop *loop;
	struct frontend_tcp_engine engine;
	struct config_tcp set;
	unsigned files;
	struct age_list ages;
	struct growth growth; // of what came in part; its octets are among `buffered`
	struct tcp_clients *clients;
	struct conn_list by_use;  // all, longest ago first
	struct conn_list stalled; // longest first
	struct conn_list starved; // held as tcp.queries are under way; first come first served
	struct conn_list ready;   // held ones that may go on
	struct event resume;      // for `ready`, in the next turn
	struct wheel_timer retry; // of listeners that could not be had, or accept nothing for now
	bool accept_paused;
	unsigned accepts_left; // of TCP_ACCEPTS_A_TURN, likewise
	int turn_left;         // of TCP_MESSAGES_A_TURN; less than that: `resume` will be called
	uint64_t ends_tick;    // the first that has a turn left for an end,
	unsigned ends_taken;   // and how many are taken, of TCP_ENDS_A_TICK
	struct frontend_conn *corked; // its replies are gathered in `cork`
	uint32_t cork_len;
	unsigned listener_count;
	struct tcp_listener listener[CONFIG_ADDRESSES_MAX];
	struct frontend_tcp_status count; // gauges `open`, `pending`, `buffered` and all counters
	uint8_t scratch[CONN_READ_MAX];
	uint8_t cork[TCP_CORK];
};

// frontend_tcp.c
unsigned tcp_connections_cap(const struct frontend_tcp *t);
unsigned tcp_idle_ms(const struct frontend_tcp *t);
// Closes the best of a client's connections (NULL: of all) to make room; false: none may be.
bool tcp_evict(struct frontend_tcp *t, struct tcp_client *client, enum frontend_tcp_end why);
// Room for `n` octets more in the buffers of `c`; false: it is the one that has to go.
bool tcp_buffer_take(struct frontend_conn *c, size_t n);
void tcp_buffer_give(struct frontend_conn *c, size_t n);

// frontend_tcp_listen.c
void tcp_listen(struct frontend_tcp *t); // where it does not yet
void tcp_listen_end(struct frontend_tcp *t);

// frontend_tcp_conn.c
// Takes the descriptor; closes it when it must be refused.
void conn_open(struct frontend_tcp *t, int fd, const union client_address *peer);
void conn_close(struct frontend_conn *c, enum frontend_tcp_end why);
void conn_touch(struct frontend_conn *c, uint64_t now_ms); // it was used
// How long it may be silent, as the client is told.
unsigned conn_idle_ms(const struct frontend_conn *c);
void conn_arm(struct frontend_conn *c); // to its deadline, by the limits in force
// After whatever happened to it: closed, or waits for the right things.
void conn_settle(struct frontend_conn *c, enum frontend_tcp_end end);

// frontend_tcp_ask.c
// Octets at p that came, or that had to wait: whole messages are asked, their replies leave
// together, the rest is kept.
enum frontend_tcp_end conn_take(struct frontend_conn *c, const uint8_t *p, size_t len);
// What has come; `c` has its turn.
enum frontend_tcp_end conn_read(struct frontend_conn *c);
bool conn_turn(struct frontend_conn *c); // false: it will have one later
enum frontend_tcp_end conn_reply(struct frontend_conn *c, struct frontend_reply *reply);
void conn_session_begin(struct frontend_conn *c); // of a new one, which has its `fd`
// A held one waits for its turn, or for others; while it has enough under way itself it waits for
// nothing but that, and this is called again when some of it ends.
void conn_hold(struct frontend_conn *c);
void conn_wait_end(struct frontend_conn *c);
// So many of its questions are no longer under way: others of its client may go on.
void conn_pending_end(struct frontend_conn *c, unsigned count);
void conn_feed(struct frontend_tcp *t);        // one of `starved`, if there is room
void conn_resume_some(struct frontend_tcp *t); // of `ready`

// frontend_tcp_buffer.c. An end other than FRONTEND_TCP_OPEN is for the caller to carry out.
// Keeps `len` octets from p on, which may lie in c->in, as all that is in c->in.
enum frontend_tcp_end conn_in_keep(struct frontend_conn *c, const uint8_t *p, size_t len);
// Room for the rest of the message of which a part is in c->in; *room octets of it may be written
// at the returned place. NULL: no memory.
uint8_t *conn_in_room(struct frontend_conn *c, size_t *room);
void conn_in_drop(struct frontend_conn *c);
// Sends what can be sent, keeps the rest.
enum frontend_tcp_end conn_out_put(struct frontend_conn *c, const uint8_t *p, size_t n);
enum frontend_tcp_end conn_out_flush(struct frontend_conn *c); // what was kept
void conn_out_drop(struct frontend_conn *c);

// frontend_tcp_io.c: octets taken or sent; 0: none now; -errno; conn_recv at the end: -ENODATA.
ssize_t conn_recv(struct frontend_conn *c, uint8_t *p, size_t n);
ssize_t conn_send(struct frontend_conn *c, const struct iovec *part, unsigned count);
void conn_send_end(struct frontend_conn *c);        // nothing more will be
bool conn_is_unread(const struct frontend_conn *c); // the kernel has over CONN_ON_ITS_WAY of ours
void conn_cut(struct frontend_conn *c);             // whose close drops them
