// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Adds the answer of one more resolver to the sum of those before it, the first of which is the
// first resolver's: what the process has once is taken from that. Pure functions.

#include "resolver.h"

void resolvers_merge_status(struct resolver_status *sum, const struct resolver_status *one);
void resolvers_merge_refresh(struct refresh_report *sum, const struct refresh_report *one);
// Of one server, of the same set in both.
void resolvers_merge_upstream(struct upstream_status *sum, const struct upstream_status *one);
// The oldest `limit` of both into `room`, which neither has its questions in.
void resolvers_merge_pending(struct resolver_pending *sum, const struct resolver_pending *one,
	unsigned limit, struct pending_question *room);
