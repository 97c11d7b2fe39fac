// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Texts about weir itself, where the operator configures them: TXT records of class CHAOS under the
// names that BIND made common (RFC 4892). `version.bind` and `version.server` have the version,
// `hostname.bind` and `id.server` the name. The NSID option (RFC 5001) is for any query that asks
// for it. A name without a text gets REFUSED.

#include "attr.h"
#include "dns_query.h"

#include <string.h>

enum { DNS_IDENTITY_MAX = 63 };

// Lies in shared memory: no text is longer than its array, whatever that holds.
struct dns_identity {
	char version[DNS_IDENTITY_MAX + 1];
	char name[DNS_IDENTITY_MAX + 1];
	char nsid[DNS_IDENTITY_MAX + 1];
};
static_assert(sizeof(struct dns_identity) == 192);

// For a parsed query: its reply has the NSID if the query asks for it and it has a text. `identity`
// keeps the text.
static inline void dns_identity_nsid(const struct dns_identity *identity, struct dns_query *q)
{
	if (!q->asks_nsid || !q->has_opt)
		return;
	q->nsid = identity->nsid;
	q->nsid_len = (uint8_t)strnlen(identity->nsid, DNS_IDENTITY_MAX);
	if (q->nsid_len)
		q->has_opt |= DNS_OPT_NSID;
}

// One TXT record with TTL 0, over the query (dns_reply.h). Its length; 0: not a question of that
// kind, or not told, and nothing is written.
ATTR_MUST_CHECK uint16_t dns_identity_reply(uint8_t *msg, size_t cap, const struct dns_query *q,
	const struct dns_identity *identity, uint16_t limit, uint16_t *sum) ATTR_NONNULL;
