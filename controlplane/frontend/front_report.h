// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The state of this process's own DNS service, from any thread: its engine (front.h) and its
// transports. Their owner is who opened them; `udp` may be NULL, where the fallback is off.

#include "front.h"
#include "front_tcp.h"
#include "front_udp.h"

struct fronts {
	struct loop *loop; // the resolver's, on which they live
	struct front *engine;
	struct front_udp *udp;
	struct front_tcp *tcp;
};

struct fronts_status {
	struct front_status engine;
	struct front_udp_status udp;
	struct front_tcp_status tcp;
};

// `done` is called on the loop `reply_to` with a result that is valid during the call. `f` must
// live until then. -ENOMEM, -EAGAIN.
ATTR_MUST_CHECK int fronts_report(const struct fronts *f, struct loop *reply_to,
	void (*done)(void *arg, const struct fronts_status *s), void *arg);
// The tables of all three. On the loop's thread.
void fronts_tables(void *fronts, struct table_registry *tables);
