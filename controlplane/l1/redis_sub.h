// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A subscription to one channel over a connection of its own, made again with back-off when it
// breaks, is silent for 25 s (it is pinged each 10 s), or when `where` names another server. on_gap
// follows each confirmed subscription, the first one too: earlier messages were missed.

#include "redis_conn.h"

struct redis;

// A subscription: one connection, kept up. `where` false: nowhere at present.
struct redis_sub {
	struct redis_conn conn;
	struct event tick;
	char channel[64];
	void (*on_message)(void *arg, const char *text, size_t len);
	void (*on_gap)(void *arg);
	void *arg;
	bool (*where)(void *where_arg, struct redis_login *out);
	void *where_arg;
	struct socket_address address; // of the connection
	unsigned backoff_ms;
	uint64_t retry_ms, pinged_ms;
	uint64_t breaks;
};

// s->on_message, on_gap and arg are set. `where` false: nowhere at present, asked again.
void redis_sub_start(struct redis_sub *s, struct redis *r, const char *channel,
	bool (*where)(void *arg, struct redis_login *out), void *where_arg);
// For both, a subscription that was not started is fine.
void redis_sub_stop(struct redis_sub *s);
void redis_sub_moved(struct redis_sub *s); // connects again
