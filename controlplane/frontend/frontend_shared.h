// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the engines of all frontends of the process have in common: the bound on questions that
// wait, the sockets for UDP, and the rate limits of UDP clients. Rate limits are counted as workers
// count theirs: a table for each (weir/limit.h). Whichever frontend's beat comes first sums them,
// so one that hangs leaves the others their limits.
//
// Made before any engine, freed once all are closed. An engine without it has one of its own.

#include "base/share.h"
#include "base/table_registry.h"
#include "frontend_socket.h"

#include <weir/attr.h>
#include <weir/limit.h>

enum { FRONTEND_LIMIT_MS = 50 }; // half a beat

struct frontend_shared {
	struct limiter *limiter;
	_Atomic bool limiting;           // a frontend sums the tables
	_Atomic uint64_t looked_ms;      // time of the last sum, written by the frontend that sums
	_Atomic unsigned limited;        // cells that were not full at that time
	struct share_pool pending;       // pool of FRONTEND_PENDING_MAX places
	struct frontend_sockets sockets; // for UDP
	_Atomic bool alone;              // no data plane was there at the last query over UDP
};

ATTR_MUST_CHECK int frontend_shared_new(struct frontend_shared **out, unsigned frontends); // -errno
// Calls limiter_look if FRONTEND_LIMIT_MS have passed since the last call and no other frontend is
// in it; with one frontend always. On each beat of each frontend.
void frontend_shared_limit(
	struct frontend_shared *s, const struct policy_limit *limit, uint64_t now_ms);
// Registers the table of rate limits.
void frontend_shared_tables(const struct frontend_shared *s, struct table_registry *tables);
void frontend_shared_free(struct frontend_shared *s); // NULL is fine
