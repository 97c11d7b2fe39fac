// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The cookie of a packet's query (dns_cookie.h). Queries with a plain OPT without options never
// come here. The wall clock is read for each that does, once for all plain ones of a batch: time(2)
// is a load where the vDSO has it, and the hash beside it costs ten times as much.

#include "batch.h"

// dns_query_parse for a packet, and what it is with its cookie; its reply's NSID (dns_identity.h).
ATTR_MUST_CHECK enum dns_query_status cookie_parse(
	const struct batch *b, struct packet *p, enum dns_cookie_kind *kind);

// The parser collects the whole cookies of plain queries one by one, while their bytes are in the
// cache; they are settled together after it.

// The question is good (dns_query_fast.h). Whatever its cookie is worth, the reply will have one.
void cookie_take_plain(struct batch *b, struct packet *p);
// Sets the cookies of the replies, and the counters.
void cookie_settle_plain(struct batch *b);
void cookie_count(struct batch *b, enum dns_cookie_kind kind);

// The cookie of a query over its client's limits. A query of the most usual kind, without OPT, is
// not read.
enum dns_cookie_kind cookie_over_limit(const struct batch *b, struct packet *p);
