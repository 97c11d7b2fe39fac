// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A subscription to one channel over a separate connection. It is made again with back-off when the
// server refuses it, when the connection breaks or is silent for 25 s (weir pings each 10 s), or
// when `where` names another server. on_gap follows each confirmed subscription, the first one too:
// earlier messages were missed.

#include "redis_conn.h"

struct redis;

// `where` false: there is no server at present.
struct redis_sub {
	struct redis *redis; // counts the server's errors
	struct redis_conn conn;
	struct event tick;
	char channel[64];
	void (*on_message)(void *arg, const char *text, size_t len);
	void (*on_gap)(void *arg);
	void *arg;
	bool (*where)(void *where_arg, struct redis_login *out);
	void *where_arg;
	struct socket_address address; // the server's
	bool confirmed;                // the server has it
	unsigned backoff_ms;
	uint64_t retry_ms, pinged_ms;
	uint64_t breaks;
};

// The caller has set s->on_message, on_gap and arg. `where` is called until it names a server.
void redis_sub_start(struct redis_sub *s, struct redis *r, const char *channel,
	bool (*where)(void *arg, struct redis_login *out), void *where_arg);
void redis_sub_stop(struct redis_sub *s);  // `s` that was not started is fine
void redis_sub_moved(struct redis_sub *s); // connects again; `s` that was not started is fine
