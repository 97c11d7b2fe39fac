// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the engines of all frontends of the process have in common: the bound on questions that
// wait, and the rate limits of UDP clients. Rate limits are counted as workers count theirs: a
// table for each, summed by the first frontend (weir/limit.h).
//
// Made before any engine, freed once all are closed. An engine without it has one of its own.

#include "base/share.h"

#include <weir/attr.h>
#include <weir/limit.h>

struct frontend_shared {
	struct limiter *limiter;
	struct share_pool pending; // of FRONTEND_PENDING_MAX
	_Atomic bool alone;        // no data plane was there at the last query over UDP
};

ATTR_MUST_CHECK int frontend_shared_new(struct frontend_shared **out, unsigned frontends); // -errno
void frontend_shared_free(struct frontend_shared *s); // NULL is fine
