// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Public suffixes (publicsuffix.org): names under which anybody can register names, so blocking one
// of them blocks unrelated sites. By libpsl, from the system's list or, without it, libpsl's own.
//
// The list is read once per process, at the first call (5 ms, 1.7 MB), and stays in memory: a
// million names must be checked, and the answer depends on nothing of the caller. Any thread.
//
// libpsl takes 100 to 300 ns a name. So a bitmap of hashes of all suffixes comes first: 3 ns, and 1
// name in 100 goes on to libpsl.

#include <weir/dns_name.h>
#include <weir/keyhash.h>

void suffix_load(void); // before the first question, for who must not be held up by it
bool suffix_is_public(const struct dns_name *name);

// The zone of a name, for the share of a zone in flight (inflight.h): the registrable domain by the
// list of public suffixes (zone_suffix.h). So a flood of names below victim.co.uk counts for
// victim.co.uk and not for all names below co.uk. Reverse names have no such owner: their zone is
// the /16 or the IPv6 /32. home.arpa is one zone of one network (RFC 8375), though newer lists have
// it as a suffix. Any thread; 45 to 150 ns, once the list is loaded (suffix_load).

// Offsets into the name's wire form.
struct zone_of {
	uint8_t zone;   // from here on; of a public suffix itself: the suffix
	uint8_t suffix; // the zone's public suffix; at least the last label
};

struct zone_of zone_of(const struct dns_name *name);

// The zone of a name as a number that none can foresee without the secret; never 0.
uint32_t zone_key(const struct dns_name *name, const struct keyhash_secret *secret);
// How many of the `n` keys are this one.
unsigned zone_count(const uint32_t *keys, unsigned n, uint32_t key);
