// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Names of the house (docs/how-to/local.md): what weir answers below `local.domain` and for reverse
// names of private addresses beside the rule image, and for names with a single label.
//
// The rule image decides first: records, hosts files, local zones with a nearer name. Where a
// closed zone or a special-use name would decide, but leases may be, it has RULE_REPLY_RESOLVE
// (local_data.c), so such a question comes to the resolver, which asks here: a lease's name is
// answered by the lease; of the others a name in a local zone or special-use zone does not exist,
// unless a forward zone at or below that zone has it. All other names are resolved, as without
// leases. No answer of a lease is cached: a lease counts as soon as its table is published.
//
// `forward_labels`: labels of the forward zone that the name is in for its client; -1: it is in
// none. Pure functions, any thread; no allocation.

#include "lease_names.h"

#include <weir/dns_query.h>

enum { HOUSE_TTL_S = 60 }; // NXDOMAIN has it too; less where the lease ends sooner

// The reverse zones in which leases have names: number i, from 0 on. False: there are no more.
ATTR_MUST_CHECK bool house_reverse_at(unsigned i, struct dns_name *out);
bool house_is_reverse(const struct dns_name *name); // at or below one of these
// Is the name below the domain, or at or below such a reverse zone? Never without a domain.
bool house_has(const struct config *c, const struct dns_name *name);

// The lease that has `name`; NULL: no lease has it, or a local zone or forward zone of that name
// is nearer. With a name of the domain that of IPv4 before IPv6. The operator's records and hosts
// files are the caller's to ask (house_host).
const struct lease_name *house_lease(const struct config *c, const struct lease_names *leases,
	const struct dns_name *name, int forward_labels, int64_t now_s);
// The lease's name below the domain, and its label alone: neither may be the operator's. False: too
// long.
ATTR_MUST_CHECK bool house_host(const struct config *c, const struct lease_name *l,
	struct dns_name *host, struct dns_name *single);
// Does a local zone or special-use name say that there is no such name? *zone: which; the root
// otherwise.
bool house_keeps(const struct config *c, const struct dns_name *name, int forward_labels,
	struct dns_name *zone);

// Does `local.single_labels: complete` make a longer name of this one?
bool house_completes(const struct config *c, const struct dns_name *name, uint16_t qtype,
	int forward_labels, struct dns_name *out);

// Does `local.single_labels: home` keep the question here?
bool house_keeps_single(
	const struct config *c, const struct dns_name *name, uint16_t qtype, int forward_labels);

struct house_question {
	const struct dns_query *query;
	int forward_labels;
	const struct lease_name *lease; // the name's; NULL: no lease has it
	bool exists;                    // local data has the name for types that no lease has
	int64_t now_s;                  // unix seconds
};

// Writes the house's answer to a question, which is in `msg` behind the room for the header. Its
// length; 0: the house has none, the name is to be resolved.
ATTR_MUST_CHECK size_t house_answer(const struct config *c, const struct lease_names *leases,
	const struct house_question *q, uint8_t *msg, size_t cap);
