// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Names that two configurations define differently, as flushes: a forwarding or local zone with all
// names below it, a record's name (a wildcard's with all names below it), and a local CNAME that
// leads to one of these. Other answers for names with a single label are one flush of everything.
//
// Definitions of a group need no flush: they are part of the group's view, so a changed one has
// another view number and other keys in L1, and no cached answer is served under them (views.h).
// But a group's CNAME may lead to a name that is defined for all clients. Hosts files and
// special-use names need no flush either: the rule image answers before the cache is looked up.
// More than LOCAL_CHANGES_MAX flushes become one flush of everything below the name that they have
// in common, or of all names. Pure function, except that it allocates memory while it works.

#include "flush.h"

#include <weir/config.h>

enum { LOCAL_CHANGES_MAX = 16 };

struct local_changes {
	unsigned count; // flushes to be done
	struct flush one[LOCAL_CHANGES_MAX];
	unsigned names; // names that differ
};

// The names of leases that have begun to count with the table `after` (NULL: no table): servers may
// have said that they do not exist. Many are flushes of the domain and the reverse zones. Names
// that a closed zone or special-use name decides without leases are in no cache. The answer of a
// lease is never cached, so one that ends needs none. `now_s`: unix seconds. `after` is of the
// domain of `c`.
struct lease_names;
void local_changes_leases(const struct config *c, const struct lease_names *before,
	const struct lease_names *after, int64_t now_s, struct local_changes *out);

// -ENOMEM: *out is one flush of everything.
ATTR_MUST_CHECK int local_changes_find(
	const struct config *before, const struct config *after, struct local_changes *out);
