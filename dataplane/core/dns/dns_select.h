// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Which records of a reply answer the question: marks them in the table by `keep`.

#include "dns_records.h"

struct dns_selection {
	enum dns_answer_kind kind;
	uint8_t cname_count;
	uint8_t steps;      // kept answer records have keep 1 .. steps, in the order of the chain
	bool referral;      // no answer but name servers: the upstream did not resolve
	int soa;            // index of the SOA kept for a negative answer, or -1
	uint32_t soa_ttl_s; // its TTL as RFC 2308 5 has it; set when soa >= 0
};

// `rcode` is NOERROR, NXDOMAIN, or YXDOMAIN, which is a FAILURE without the DNAME for it. 0, -ELOOP
// (more than DNS_ANSWER_CNAME_MAX CNAMEs, or a circle) or -EBADMSG (a CNAME or SOA without the form
// of one).
ATTR_MUST_CHECK int dns_select(struct dns_records *t, const struct dns_query *q, unsigned rcode,
	struct dns_selection *out);
