// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Records the resolver's steps for watched queries (querylog/trace.h). Resolver loop's thread.

#include "resolver_internal.h"

// The query's name and type are filled in. 0: no room.
trace_handle resolver_trace_start(struct resolver *r, struct trace *t, const struct dns_query *q);
void resolver_trace_tables(const struct resolver *r, struct table_registry *tables);

// Adds a step of a question, or of one client's; 0: not watched.
ATTR_INLINE void resolver_trace_note(
	const struct resolver *r, trace_handle h, enum trace_step step, uint32_t value)
{
	if (unlikely_(h))
		traces_note(r->traces, h, step, 0, value);
}
