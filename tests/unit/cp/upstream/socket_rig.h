// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The sockets of upstream_rig.h's servers, for tests of them.

#include "controlplane/upstream/upstream_internal.h"
#include "tests/unit/unit.h"
#include "upstream_rig.h"

#include <event2/event.h>

enum { MANY = 700 }; // more than half of UPSTREAM_SOCKETS_AHEAD

static inline struct upstream_sockets_stats now(void)
{
	return totals().sockets;
}

// A socket of `p` for `leg`, as a query gets it.
static inline struct upstream_socket *socket_take_of(
	struct upstream_sockets *p, unsigned i, struct upstream_leg *leg, uint64_t now_ms)
{
	struct upstream_sockets *own = fx.up->sockets;
	fx.up->sockets = p;
	leg->ask->owner = fx.up;
	assert_int_equal(upstream_leg_connect(leg, i, now_ms), 0);
	fx.up->sockets = own;
	return leg->socket;
}

static inline struct upstream_socket *socket_take(unsigned i, struct upstream_leg *leg)
{
	return socket_take_of(fx.up->sockets, i, leg, clock_mono_ms());
}

// As many queries to server `i` in a second, which ends `ago_ms` ago, as make it a busy one.
static inline void make_busy_of(struct upstream_sockets *p, unsigned i, unsigned ago_ms)
{
	struct upstream_leg leg = {.ask = &fx.ask};
	const uint64_t at_ms = clock_mono_ms() - ago_ms;
	for (unsigned n = 0; n < UPSTREAM_SHELF_BUSY; n++) {
		struct upstream_socket *s = socket_take_of(p, i, &leg, at_ms);
		s->uses = 0;
		upstream_socket_give(s, true);
	}
}

static inline void make_busy(unsigned i)
{
	make_busy_of(fx.up->sockets, i, 0);
}

// Until `idle` are ready for the first server; opened in steps, so this takes a while.
static inline void wait_for_idle(unsigned idle)
{
	make_busy(0);
	for (unsigned i = 0; i < 300 && now().idle < idle; i++)
		run_for(20);
	assert_true(now().idle >= idle);
}

static inline bool is_idle(const struct upstream_socket *s)
{
	return s->fd >= 0 && !s->leg;
}
