// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The state of this process's own DNS service, from any thread: its engine (frontend.h) and its
// transports. Their owner is who opened them; a transport that is off may be NULL.

#include "frontend.h"
#include "frontend_tcp.h"
#include "frontend_udp.h"

struct frontends {
	struct loop *loop; // the resolver's, on which they live
	struct frontend *engine;
	struct frontend_udp *udp;
	struct frontend_tcp *tcp;
};

struct frontends_status {
	struct frontend_status engine;
	struct frontend_udp_status udp;
	struct frontend_tcp_status tcp;
};

// `done` is called on the loop `reply_to` with a result that is valid during the call. `f` must
// live until then. -ENOMEM, -EAGAIN.
ATTR_MUST_CHECK int frontends_report(const struct frontends *f, struct loop *reply_to,
	void (*done)(void *arg, const struct frontends_status *s), void *arg);
// The tables of all three. On the loop's thread.
void frontends_tables(void *frontends, struct table_registry *tables);
