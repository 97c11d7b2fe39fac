// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Names that answers lead to and that weir has local data for. Resolver loop's thread.

#include "resolver_internal.h"

// Do local records, local zones or special-use names answer it for the clients of this view? False
// where no image is there yet. Whose local data it is counts only where a group has some for that
// name. Of a view without a group nobody knows: true, and then the question has no answer, rather
// than another group's.
bool resolver_is_local(const struct resolver *r, const struct view *view,
	const struct dns_name *name, uint16_t qtype);
// Has it a local CNAME, or a circle of these?
bool resolver_local_alias(
	const struct resolver *r, const struct view *view, const struct dns_name *name);
// Does a cached answer to that question lead to a name of either kind?
bool resolver_leads_home(const struct resolver *r, const struct view *view,
	const struct dns_name *name, uint16_t qtype, const struct dns_answer_view *answer);
