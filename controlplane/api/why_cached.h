// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Adds the names of CNAMEs and the addresses of the cached answer to the explanation, or why the
// latest answer was bogus. Reads L0 alone, in the view of the client's question; truncated records
// are left out. Among answers for subnets (upstream/subnet_key.h) it takes the client's, in the
// resolver's order. `client`: its address; NULL: no client was named, so there is no subnet. Pure.

#include "answer_policy/why/why.h"
#include "resolver/resolvers.h"

void why_cached(struct why *w, const struct cache_look *look, const struct ip_address *client);
