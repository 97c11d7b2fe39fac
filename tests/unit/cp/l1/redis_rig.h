// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A Redis client on a loop that the test turns itself, and what came of its commands.

#include "controlplane/l1/redis.h"
#include "redis_server.h"
#include "tests/unit/unit.h"

struct redis_seen {
	unsigned ends; // calls of the done function
	enum redis_end end;
	enum redis_kind kind;
	int64_t integer;
	unsigned count;
	char text[256];
};

struct redis_rig {
	struct loop *loop;
	struct config_redis config;
	struct redis *redis;
};

void redis_rig_start(struct redis_rig *g, enum redis_mode mode, uint16_t port);
void redis_rig_stop(struct redis_rig *g);
void redis_rig_address(struct redis_rig *g, uint16_t port); // one more in g->config
void redis_rig_turn(struct redis_rig *g, unsigned ms);      // lets the loop run for so long
// One pass of the loop, which waits for something to do for so long.
void redis_rig_turn_once(struct redis_rig *g, unsigned ms);
#define redis_rig_until(g, is_so) redis_until(is_so, 10, redis_rig_turn(g, 10))

// One command of words that are separated by blanks; several by `|` are one transaction.
bool redis_rig_give(struct redis_rig *g, const char *text, struct redis_seen *seen);
// Lets the loop run until it has ended so often, 2 s at most; fails then.
void redis_rig_ends(struct redis_rig *g, const struct redis_seen *seen, unsigned ends);
// The same, and waits for its end (2 s at most); not given: REDIS_AWAY.
struct redis_seen redis_rig_do(struct redis_rig *g, const char *text);
void redis_rig_done(void *seen, enum redis_end end, const struct redis_reply *reply);
struct redis_status redis_rig_status(const struct redis_rig *g);
// Turns the loop until the state is this; fails after `ms`.
void redis_rig_await(struct redis_rig *g, const char *state, unsigned ms);
// Turns the loop until nothing is left in the buffers, where a question of the client's own may be
// on its way; fails after 20 s.
void redis_rig_empties(struct redis_rig *g);
