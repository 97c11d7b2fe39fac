// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Flushes by name, subtree or all, of this box and of others (resolver_flush.c). Resolver loop's
// thread.

#include "resolver_internal.h"

ATTR_MUST_CHECK int resolver_flush_open(struct resolver *r);
void resolver_flush_close(struct resolver *r);     // before L1
void resolver_flush_configure(struct resolver *r); // behind l1_configure: the channel
// Each 100 ms: begins flushes that waited for the recursor.
void resolver_flush_beat(struct resolver *r);
void resolver_flush_whole(struct resolver *r); // empties its part, if resolvers_empty_all says so
void resolver_flush_status(const struct resolver *r, struct flush_status *out);
void resolver_flush_tables(const struct resolver *r, struct table_registry *tables);
// Was the name flushed since, or does a flush of it wait (counted)?
bool resolver_flush_covers(
	struct resolver *r, const struct dns_name *name, uint64_t since_ms, uint64_t now_ms);
