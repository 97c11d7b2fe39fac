// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Whose name it is, for what zones may use of us (inflight.h): the registrable domain, as far as
// the list of public suffixes tells (list_suffix.h), so that a flood of names below victim.co.uk is
// one of victim.co.uk and not of all that end in co.uk. Names for addresses have no such owner:
// theirs is the /16 or the IPv6 /32. Any thread; 45 to 150 ns, once the
// list is loaded (list_suffix_load).

#include <weir/dns_name.h>

// Offsets into the name's wire form.
struct zone_of {
	uint8_t zone;   // from here on; of a public suffix itself: the suffix
	uint8_t suffix; // what the zone was registered under; at least the last label
};

struct zone_of zone_of(const struct dns_name *name);
