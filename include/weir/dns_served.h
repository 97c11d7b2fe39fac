// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Which well-formed questions are questions for a resolver.
//
// Zone transfers need a zone (RFC 5936 4.2, RFC 1995 2), and other classes than IN an authority
// that is not here: refused. The rest of the meta types (RFC 6895 3.1) but ANY, which may be cached
// like a type, and OPT and type 0, which are no question at all, are not implemented.

#include "attr.h"
#include "dns_query.h"

enum dns_served { DNS_SERVED, DNS_SERVED_REFUSED, DNS_SERVED_NOTIMP };

ATTR_INLINE enum dns_served dns_served_question(const struct dns_query *q)
{
	uint16_t type = q->qtype;
	if (unlikely_(q->qclass != DNS_CLASS_IN || type == DNS_TYPE_AXFR || type == DNS_TYPE_IXFR))
		return DNS_SERVED_REFUSED;
	if (unlikely_((type >= 128 && type < DNS_TYPE_ANY) || type == DNS_TYPE_OPT || type == 0))
		return DNS_SERVED_NOTIMP;
	return DNS_SERVED;
}
