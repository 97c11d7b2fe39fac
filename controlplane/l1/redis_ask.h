// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// One question (where is the master, which node has which slots), sent to one server after another
// until one gives a usable answer: at once, again every REDIS_ASK_MS while there is a problem, else
// every REDIS_ASK_CALM_MS. Over a connection of its own, which stays while the server answers. One
// thread.

#include "redis_internal.h"

enum {
	REDIS_ASK_MS = 500,
	REDIS_ASK_CALM_MS = 20000,
	REDIS_ASK_MIN_MS = 50,      // between two questions, whatever happens
	REDIS_ASK_TIMEOUT_MS = 500, // for its reply
};

struct redis_ask {
	struct redis *owner;
	struct redis_conn conn;
	struct redis_call call;
	struct event timer;
	const struct redis_command *command; // lives as long as this
	// The i-th server to ask; false: no more, 0 is next.
	bool (*where)(struct redis *r, unsigned i, struct redis_login *out);
	// False: not usable; ask the next one.
	bool (*answer)(struct redis *r, const struct redis_reply *reply);
	bool (*amiss)(const struct redis *r);
	unsigned at;
	bool asking;
	uint64_t asked_ms;
	struct socket_address address; // of the connection
};

// The function pointers, the command and the owner are set. Asks.
void redis_ask_start(struct redis_ask *a);
void redis_ask_stop(struct redis_ask *a);
void redis_ask_now(struct redis_ask *a);
