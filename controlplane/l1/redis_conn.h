// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// One connection to a Redis server: connect, log in, then commands one after another, replies in
// the same order. It does not interpret the replies. Resolver loop's thread only.
//
// redis_conn_open writes the log-in (AUTH, SELECT, ROLE, CLIENT SETNAME) in front; commands may be
// submitted at once, but are sent only when the server has accepted the log-in, so that nothing is
// written to the wrong database. Commands of one iteration of the loop leave with one send. One
// timer serves all deadlines: it expires when the earliest one may be over, and checks all. The
// owner of a late call is notified at once, but the call keeps its place until its reply, or until
// it is REDIS_STUCK_MS overdue: then the connection is closed. Each close ends every call once. An
// idle connection (no call for 5 min) is closed; one for subscriptions never is.

#include "base/age_list.h"
#include "base/growth.h"
#include "redis_wire.h"

#include <event2/event_struct.h>

#include <weir/config.h>

enum {
	REDIS_CONNECT_MS = 1000,
	REDIS_STUCK_MS = 1000,
	REDIS_IDLE_MS = 5 * 60 * 1000,
	REDIS_WHY_MAX = 128,
	REDIS_PUSH_MAX = 16 << 10, // bytes of a message of a subscription
};

// A command, or several, in flight. The connection uses next, start, deadline_ms, left and late;
// its owner uses all fields.
struct redis_call {
	struct redis_call *next;
	struct age_link age; // redis.c's
	uint64_t start;      // offset in the connection's stream
	uint64_t deadline_ms;
	unsigned left; // replies to come
	bool late;     // the owner was notified that its deadline is over
	bool large;    // the server's reply is over the bound

	bool transaction, refused;
	uint8_t redirects, replies;
	uint16_t slot;
	uint64_t given_us;
	redis_done_fn done; // NULL: was called
	void *arg;
	struct redis_node *node;
	char *copy; // the call's bytes, if it may be sent again
	size_t copy_len;
	struct socket_address moved_to; // port 0: not redirected
	bool ask;                       // redirected by ASK, so for this call alone
};

struct redis_conn;
// `up` and `end` may be NULL; `reply` and `late` too if no calls are made.
struct redis_conn_ops {
	void (*up)(struct redis_conn *c);
	// The connection is closed; its calls end after this. `was_up`: the log-in had passed.
	void (*down)(struct redis_conn *c, bool was_up, const char *why);
	// One reply; the call is out of the queue when call->left is 0.
	void (*reply)(
		struct redis_conn *c, struct redis_call *call, const struct redis_reply *reply);
	// The call is out of the queue: REDIS_LOST, REDIS_LARGE for the call whose reply was too
	// large, or REDIS_AWAY when none of its bytes was sent.
	void (*end)(struct redis_conn *c, struct redis_call *call, enum redis_end end);
	void (*late)(struct redis_conn *c, struct redis_call *call); // still in the queue
	// A reply of at most REDIS_PUSH_MAX bytes that no call waits for. NULL: its first byte
	// closes the connection.
	void (*push)(struct redis_conn *c, const struct redis_reply *reply);
};

struct redis_buffers {
	size_t unsent; // bytes
	struct growth growth;
};

enum redis_conn_state { REDIS_CONN_CLOSED, REDIS_CONN_CONNECTING, REDIS_CONN_LOGIN, REDIS_CONN_UP };

// Server and credentials; only redis_conn_open reads the texts.
struct redis_login {
	struct socket_address address;
	const char *username, *password; // "": not sent
	unsigned db;
	bool master; // a server that is no master is refused
};

struct redis_conn {
	const struct redis_conn_ops *ops;
	void *owner;
	struct event_base *base;
	struct redis_buffers *buffers; // shared by all connections of the client
	enum redis_conn_state state;
	unsigned generation; // changes when the socket is closed, perhaps by a callback
	int fd;
	struct event io, flush, timer;
	bool writing;      // io waits for room
	uint64_t armed_ms; // when the timer fires; 0: it does not
	uint64_t opened_ms, used_ms, read_ms;
	struct redis_reader *reader;
	struct redis_out out;
	uint64_t given, sent; // bytes submitted and sent on this socket
	uint64_t login_end;   // end of the log-in in the stream; only it is sent before state is UP
	uint8_t step[4], steps, step_at;
	struct redis_call *first, **last;
	unsigned calls;
	uint64_t retry_ms; // for the owner: the connection is not opened before
};

// `c` is zeroed, or was closed.
void redis_conn_init(struct redis_conn *c, struct event_base *base,
	const struct redis_conn_ops *ops, void *owner, struct redis_buffers *buffers);
// `c` is closed. -errno of socket(2) or connect(2), -ENOMEM: still closed, `down` is not called.
ATTR_MUST_CHECK int redis_conn_open(struct redis_conn *c, const struct redis_login *login);
// Closes without a call of `down`; calls end with `end`.
void redis_conn_close(struct redis_conn *c, enum redis_end end);
// Room for the `len` bytes of a call, which the caller writes at once; `c` is not closed. The
// caller has set call->deadline_ms and left; the connection owns the call until `reply` or `end`.
// `call` NULL: bytes that belong to no call (log-in, subscriptions). Returns NULL: no memory.
char *redis_conn_take(struct redis_conn *c, struct redis_call *call, size_t len);
size_t redis_conn_bytes(const struct redis_conn *c); // memory held
