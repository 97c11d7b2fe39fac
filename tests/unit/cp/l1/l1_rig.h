// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// L1 on a loop that the test turns itself, before a real redis-server of its own.

#include "controlplane/l1/l1.h"
#include "redis_server.h"
#include "tests/unit/unit.h"

struct l1_rig {
	struct redis_server server;
	struct config config;
	struct loop *loop;
	struct l1 *l1;
};
extern struct l1_rig l1_rig;

int l1_rig_server_up(void **state);
int l1_rig_server_down(void **state);
int l1_rig_setup(void **state); // flushes the server
int l1_rig_teardown(void **state);

const char *l1_rig_say(const char *format, ...); // RESP, redis_server_say
void l1_rig_turn(unsigned ms);
#define l1_rig_until(is_so) redis_until(is_so, 5, l1_rig_turn(5))
void l1_rig_settle(void); // turns it until Redis has replied to all commands
void l1_rig_await_usable(bool usable);
void l1_rig_key(const char *name, struct l1_key *out); // type A, class IN
void l1_rig_put(const char *name, uint32_t stored_ttl_s, uint32_t age_s, uint32_t hits);
void l1_rig_put_many(unsigned count); // n0.example and so on, and settles
extern const uint8_t l1_rig_message[40];
// The server's own word on it: no key without a TTL.
void l1_rig_every_key_has_ttl(void);
