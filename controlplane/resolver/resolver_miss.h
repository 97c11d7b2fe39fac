// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// From a client's query to its answer, or to a question that it waits for. Resolver loop's thread.

#include "resolver_internal.h"

void resolver_miss(void *resolver, const struct msg_miss *m, const uint8_t *question);
// A frontend's client asks what the rules left open: answered by the cache at once, or later.
void resolver_ask(
	struct resolver *r, const struct dns_query *q, uint16_t view, const struct waiter *w);
