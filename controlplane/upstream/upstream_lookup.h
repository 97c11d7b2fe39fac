// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Lookups of the host names that servers are given by, at the servers of `upstreams.bootstrap`,
// never through weir's own answers or the system's resolver. The first resolver's loop alone; what
// is found goes to the board (route/host_board.h), and from there to all sets of servers.
//
// A lookup asks for A and AAAA at once, and both questions end within UPSTREAM_LOOKUP_MS. weir
// looks a name up again after seven eighths of the least TTL of its addresses, which counts as
// UPSTREAM_LOOKUP_TTL_MIN_S at least and UPSTREAM_LOOKUP_TTL_MAX_S at most. When a question has no
// answer, or the name no address that a server may have, the addresses found before stay in use
// however old they are (in the sense of RFC 8767), and the next lookup comes after 1 s, doubled
// with each further failure up to UPSTREAM_LOOKUP_AGAIN_MS.
//
// Cost: 2 queries a name and lookup. One reader of replies, some 70 KiB, and 10 KiB a name.

#include "base/table_registry.h"
#include "upstream.h"

enum {
	UPSTREAM_LOOKUP_MS = 5000,
	UPSTREAM_LOOKUP_AGAIN_MS = 60000,
	UPSTREAM_LOOKUP_TTL_MIN_S = 60,
	UPSTREAM_LOOKUP_TTL_MAX_S = 3600,
};

struct upstream_lookups;
ATTR_MUST_CHECK int upstream_lookups_new(
	struct upstream_lookups **out, const struct upstream_shared *shared); // -ENOMEM
void upstream_lookups_free(struct upstream_lookups *l);                       // NULL is fine
// Uses the names of this configuration, which must outlive its use. Looks all of them up.
void upstream_lookups_configure(struct upstream_lookups *l, const struct config *config);
