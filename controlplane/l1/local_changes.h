// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What two configurations say differently of names, as flushes: a forwarding or local zone with all
// below it, a record's name (a wildcard's with all below), a local CNAME that leads to one of them.
//
// Of everyone's alone: a group's are part of its view, so another definition has a view number and
// a key in L1 of its own, and nothing that was kept is served under them (views.h). But a group's
// CNAME may lead to what is everyone's. Hosts files and
// special-use names need no flush either: the image answers before the cache is looked at.
// More than LOCAL_CHANGES_MAX become one flush of all that is below what their names have in
// common, or of everything. Pure function but for the memory of its work.

#include "flush.h"

#include <weir/config.h>

enum { LOCAL_CHANGES_MAX = 16 };

struct local_changes {
	unsigned count; // flushes to be done
	struct flush one[LOCAL_CHANGES_MAX];
	unsigned names; // that differ
};

// -ENOMEM: *out is one flush of everything.
ATTR_MUST_CHECK int local_changes_find(
	const struct config *before, const struct config *after, struct local_changes *out);
