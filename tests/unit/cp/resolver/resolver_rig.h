// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the tests of the resolver stand on: a resolver on its own thread, two scripted upstream
// servers, and the calling thread as the data plane with two worker rings.

#include "controlplane/frontend/frontend.h"
#include "controlplane/resolver/resolvers.h"
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
void control_start(void);
void control_stop(void);
void link_up_now(void);
struct resolver_status status(void);

// One query for A with an OPT on worker rings 0, and the doorbell.
void ask(const char *name, uint16_t id);
// The next answer, in `got`; fails the test when it is another, or none. wait_ms is what a machine
// takes that has nothing else to do; any other gets more time.
void expect_answer(unsigned wait_ms, uint16_t id, unsigned rcode, enum answer_kind kind);
void resolves(
	const char *name, uint16_t id, unsigned wait_ms, enum answer_kind kind); // both, rcode 0
const char *rig_records(void); // "NAME TYPE DATA\n" of the answer section of `got`; until the next
int ede_of_answer(void); // Extended DNS Error of `got`, whose OPT is its last record; -1: none

// The key in Redis of what everyone is told of that name (and type); good until the next call.
const char *rig_l1_key(const char *name); // A
const char *rig_l1_key_type(const char *name, unsigned qtype);
// A command with that key in the place of %s.
const char *rig_l1_command(const char *format, const char *name);

// Runs fn on the resolver loop and waits for it.
void on_loop(void (*fn)(void *arg), void *arg);
