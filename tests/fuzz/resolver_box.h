// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A resolver whose loop is turned by the fuzz body itself, an upstream that answers each query at
// once, and a data plane of two worker rings that is played. One of each in a program; its files go
// away with it.

#include "controlplane/frontend/frontend.h"
#include "controlplane/resolver/resolvers.h"
#include "fuzz.h"
#include "tests/unit/cp/shm/fake_dataplane.h"

struct resolver_box {
	struct shm_paths paths;
	struct config config;
	struct publisher *publisher;
	struct loop *loop;
	struct link_server *link;
	struct views *views;
	struct resolver *resolver;
	struct resolvers all; // it alone
	struct ring_mesh *mesh;
	struct frontend *frontend;
	struct fake_dataplane dp;
	int upstream_fd;
};
extern struct resolver_box box;

void box_open(void);
void box_link(void);            // the data plane says hello, and is welcomed
void box_turn(void);            // what is ready on the loop
void box_wait(void);            // the same, once something is
bool box_upstream_answer(void); // the next query; false: nobody asked
// Turns until nothing is left to do: every query of the resolver's is answered, with an address for
// A and with no data for all else.
void box_settle(void);
struct resolver_status box_status(void);
