// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Flushes by name, subtree or all, of this box and of others. Resolver
// loop's thread.

#include "resolver_internal.h"

// Was the name flushed since, or does a flush of it wait (counted)?
bool resolver_flush_covers(
	struct resolver *r, const struct dns_name *name, uint64_t since_ms, uint64_t now_ms);
