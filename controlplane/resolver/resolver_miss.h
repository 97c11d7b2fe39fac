// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// From a client's query to its answer, or to a question that it waits for. Resolver loop's thread.

#include "resolver_internal.h"

void resolver_miss(void *resolver, const struct msg_miss *m, const uint8_t *question);
// The same of a frontend's client, whose view may be gone: then SERVFAIL.
void resolver_miss_of_client(
	struct resolver *r, const struct client_miss *c, const uint8_t *question);
