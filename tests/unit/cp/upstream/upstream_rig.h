// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Asks of upstream.h over real sockets, to servers that behave as told. One loop, run by the test
// itself; the first two servers are configured, with a first wait of 60 ms and 6 sends.

#include "controlplane/upstream/upstream.h"
#include "fake_upstream.h"

enum { RIG_SERVERS = 4 };

struct upstream_fixture {
	struct loop *loop;
	struct upstreams *up;
	struct upstream_port *port; // NULL: sockets alone; rig_setup leaves it so
	struct config_upstreams config;
	struct upstream_ask ask;
	unsigned replies, ended;
	enum upstream_end why;
	uint64_t start_ms, took_ms;
	uint8_t first[4];                        // RDATA of the answer
	const struct ip_address *request_subnet; // of the next ones; NULL: none
	int scope;                               // of the answer
	bool is_unproven;                        // the answer
	unsigned zone;                           // of the next questions; 0: example
	unsigned host;                           // in it; 0: www
};

extern struct upstream_fixture fx;
extern struct fake_upstream fake[RIG_SERVERS];

int rig_setup(void **state);
int rig_teardown(void **state);
void set_servers(unsigned count);       // in fx.config
void configure_servers(unsigned count); // and uses that
// With that key of fx.config.
#define CONFIGURE(key, value) \
	((void)(fx.config.key = (value)), upstreams_configure(fx.up, &fx.config))

// Asks for www.example A, or www in another zone of 22; ask_finish runs the loop until that has
// ended, one way or the other.
void ask_start(unsigned life_ms);
void ask_finish(void);
void run_for(unsigned ms);
void ask(unsigned life_ms); // both
// With a reply, and without one.
#define FINISHED(how)       (ask_finish(), assert_int_equal(fx.how, 1))
#define ANSWERED(life_ms)   (ask(life_ms), assert_int_equal(fx.replies, 1))
#define UNANSWERED(life_ms) (ask(life_ms), assert_int_equal(fx.ended, 1))

struct upstream_status status(unsigned i);
struct upstream_totals totals(void);
