// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Two resolvers of one process, each on its own thread with its part of one L0; no data plane. A
// third loop asks.

#include "controlplane/resolver/resolver_internal.h"
#include "controlplane/resolver/resolvers.h"
#include "tests/unit/unit.h"

enum { COUNT = 2, PATIENCE_MS = 20000 };

struct part {
	struct loop *loop;
	struct views *views;
	pthread_t thread;
};

extern struct part part[COUNT];
extern struct resolvers all;
extern struct config config;
extern struct publisher *published;
extern struct loop *asking;

int resolvers_setup(void **state);
int resolvers_teardown(void **state);

// The calls are made on the loop that gets the answers.
struct errand {
	void (*fn)(struct errand *e);
	_Atomic bool there;
	pthread_t on;
	union {
		struct resolver_status status;
		struct cache_flushed flushed;
		struct {
			unsigned count, l1_types;
			struct cache_entry entry[4];
		} look;
		struct policy_group group[POLICY_GROUPS_MAX];
	};
	struct flush what;
	struct dns_query query;
};
extern struct errand errand;
// Runs fn(&errand) on the loop, and waits until it is there.
void errand_on(struct loop *l, void (*fn)(struct errand *e));
// Asks for names until the part of each resolver has one; how many.
unsigned both_filled(void);
