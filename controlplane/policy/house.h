// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Names of the house (docs/how-to/local.md): what weir answers below `local.domain` and for reverse
// names of private addresses beside the rule image, and for names with a single label.
//
// The rule image decides first: records, hosts files, local zones with a nearer name. Where names
// of leases may be it has RULE_REPLY_RESOLVE (local_data.c), so such a question comes to the
// resolver, which asks here: a lease's name is answered by the lease; of the others a name in a
// local zone or special-use zone does not exist, unless a forward zone at or below that zone has
// it; what is left is resolved. Nothing of it is cached: it counts as soon as a table is published.
//
// Pure functions, any thread; no allocation.

#include "lease_names.h"

#include <weir/dns_query.h>

enum { HOUSE_TTL_S = 60 }; // NXDOMAIN has it too; less where the lease ends sooner

// The reverse zones in which leases have names: number i, from 0 on. False: there are no more.
ATTR_MUST_CHECK bool house_reverse_at(unsigned i, struct dns_name *out);
bool house_is_reverse(const struct dns_name *name); // at or below one of these
// Is the name below the domain, or at or below such a reverse zone? Never without a domain.
bool house_has(const struct config *c, const struct dns_name *name);
// Is it, and could a lease have it: one label below the domain, or a whole address?
bool house_may_lease(const struct config *c, const struct dns_name *name);

// What `name` and a type met among the leases; NULL: no lease has the name. With a name of the
// domain that of IPv4 before IPv6.
const struct lease_name *house_lease(const struct config *c, const struct lease_names *leases,
	const struct dns_name *name, int64_t now_s);

// Does `local.single_labels: complete` make a longer name of this one? `forward_labels`: labels of
// the forward zone that the name is in for its client; -1: it is in none.
bool house_completes(const struct config *c, const struct dns_name *name, uint16_t qtype,
	int forward_labels, struct dns_name *out);

// Does `local.single_labels: home` keep the question here?
bool house_keeps_single(
	const struct config *c, const struct dns_name *name, uint16_t qtype, int forward_labels);

// Writes the house's answer to `q`, whose question is in `msg` behind the room for the header. Its
// length; 0: the house has none, the name is to be resolved.
ATTR_MUST_CHECK size_t house_answer(const struct config *c, const struct lease_names *leases,
	const struct dns_query *q, int forward_labels, int64_t now_s, uint8_t *msg, size_t cap);
