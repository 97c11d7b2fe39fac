// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the tests of the resolver stand on: a resolver on its own thread, two scripted upstream
// servers, and the calling thread as the data plane with two worker rings.

#include "controlplane/frontend/frontend.h"
#include "controlplane/resolver/resolvers.h"
#include "tests/unit/cp/l1/redis_server.h"
#include "tests/unit/cp/shm/fake_dataplane.h"
#include "tests/unit/cp/upstream/fake_upstream.h"
#include "tests/unit/unit.h"

struct resolver_rig {
	char run[64];
	struct shm_paths paths;
	struct config config;
	struct publisher *publisher;
	struct loop *loop;
	struct link_server *link;
	struct upstream_book *book;
	struct views *views;
	struct upstream_port *port; // unused as long as the board is empty
	struct resolver *resolver;
	struct resolvers all; // it alone
	struct ring_mesh *mesh;
	struct frontend *frontend; // without a transport
	pthread_t thread;
};
extern struct resolver_rig rig;
extern struct fake_upstream fake[2];
extern struct fake_dataplane dp;
extern struct fake_answer got;  // the last answer
extern uint16_t rig_redis_port; // of a server for L1; 0: none
// Of a question, at most. With 1 a stalled machine has nothing sent twice, so queries can be
// counted (but nothing is asked of a second server either).
extern unsigned rig_max_sends;
int rig_sends_once(void **state); // sets that

int rig_setup(void **state);
int rig_setup_small(void **state); // 16 questions, 8 waiters each
int rig_teardown(void **state);
// Ends the box that rig_setup made, all it left included; another one, with an empty cache and the
// present rig.config.
void rig_box_stop(void);
void rig_box_start(void);
// Another life of the control plane on what the one before left, with that data plane.
void rig_restart(void);
// The resolver takes rig.config as it is by now, or that one.
void rig_reload(void);
void rig_reload_to(const struct config *config);
void control_start(void);
void control_stop(void);
void link_up_now(void);
struct resolver_status status(void);

// A query, for A unless `m` has a type, and the doorbell; and one with an OPT on worker rings 0.
void rig_ask(struct fake_miss m);
void ask(const char *name, uint16_t id);
// The next answer, in `got`; fails the test when it is another, or none in time for any machine.
void expect_answer(uint16_t id, unsigned rcode, enum answer_kind kind);
void resolves(const char *name, uint16_t id, enum answer_kind kind); // both, rcode 0
void fails(const char *name, uint16_t id);                           // both, SERVFAIL
const char *rig_records(void); // "NAME TYPE DATA\n" of the answer section of `got`; until the next
void expect_records(const char *records);
int ede_of_answer(void); // Extended DNS Error of `got`, whose OPT is its last record; -1: none

// The key in Redis of what everyone is told of that name (and type); good until the next call.
const char *rig_l1_key(const char *name); // A
const char *rig_l1_key_type(const char *name, unsigned qtype);
// A command with that key in the place of %s.
const char *rig_l1_command(const char *format, const char *name);

void rig_redis_await(void);                       // the resolver has it
void rig_redis_box(const struct redis_server *s); // another box, as of rig_box_start(), with it
const char *rig_redis_keys_await(const struct redis_server *s, unsigned count); // of weir

// What the server leads to from its next answer on, as FAKE_ALIAS or another mode of aliases.
void rig_alias(unsigned server, enum fake_mode mode, const char *target);
unsigned rig_asked(void); // how often both servers, over UDP
void expect_asked(unsigned server, unsigned queries, const char *name); // the last one by `name`

// What the resolver says of a group, for an image of groups; that image, group 0 first, then those
// of rig.config; and blocking, which is on but for these pauses.
struct policy_group rig_group(unsigned group);
void rig_policy(const struct policy_group *groups);
void rig_pause(uint64_t until_ms, uint64_t block_all_until_ms);

// A look into the cache, and a flush: one that others may begin beside, and one that is waited for.
struct rig_look {
	_Atomic bool there;
	int err;
	struct cache_look look;
	struct cache_entry entry[2 * CACHE_GET_MAX]; // those that look.count says
};
struct rig_flush {
	_Atomic bool there;
	int err;
	struct cache_flushed flushed;
};
void rig_on_look(void *rig_look, int err, const struct cache_look *look);
void rig_look_begin(struct rig_look *l, const char *name, uint16_t qtype);
void rig_flush_begin(struct rig_flush *f, enum flush_kind kind, const char *name, bool tells);
const struct rig_look *rig_look(const char *name, uint16_t qtype);
struct cache_flushed rig_flush(enum flush_kind kind, const char *name, bool tells);

// Runs fn on the resolver loop and waits for it.
void on_loop(void (*fn)(void *arg), void *arg);
