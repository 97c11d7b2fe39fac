// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Adds one more resolver's answer to a sum that begins with the first resolver's answer: figures
// that the process has once come from that. Pure functions.

#include "resolver.h"

void resolvers_merge_status(struct resolver_status *sum, const struct resolver_status *one);
void resolvers_merge_refresh(struct refresh_report *sum, const struct refresh_report *one);
// Merges the status of one server of one set.
void resolvers_merge_upstream(struct upstream_status *sum, const struct upstream_status *one);
// Merges the oldest `limit` questions of both into `room`, which must hold the questions of
// neither.
void resolvers_merge_pending(struct resolver_pending *sum, const struct resolver_pending *one,
	unsigned limit, struct pending_question *room);
