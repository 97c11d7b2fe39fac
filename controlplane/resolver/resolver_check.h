// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Applies the answer policy (answer_policy/answer_policy.h): checks answers when they arrive,
// decides for each waiter, and checks cached ones again under a new image. Resolver loop's thread.

#include "resolver_internal.h"

ATTR_MUST_CHECK int resolver_check_open(struct resolver *r);
void resolver_check_close(struct resolver *r);

// Checks an answer to this query in this view against the lists: the result is written to *out, all
// of it.
void resolver_check_answer(const struct resolver *r, const struct view *in,
	const struct dns_query *q, const struct dns_answer_view *answer, struct answer_match *out);
// The same, and counts it.
void resolver_check_reply(struct resolver *r, const struct view *in, const struct dns_query *q,
	const struct dns_answer *a, struct answer_match *out);
// The same of a cached record, by its mask.
void resolver_check_record(
	const struct resolver *r, const struct l0_view *v, struct answer_match *out);
// False: it has no mask, so the answer is not to be kept (counted).
bool resolver_check_mask(
	struct resolver *r, const struct answer_match *finding, struct rule_set *mask);
// Does the policy block this answer for the waiter's client, by the group that the client had when
// it was let in? Then *out is the decision, and *block the group's block reply.
bool resolver_check_blocks(const struct resolver *r, const struct dns_query *q,
	const struct waiter *w, const struct answer_match *finding, struct rule_ruling *out,
	struct dns_block *block);
void resolver_check_tables(const struct resolver *r, struct table_registry *tables);

// Names that answers lead to and that weir has local data for.
// Do local records, local zones or special-use names answer it for the clients of this view? False
// where no image is there yet. Whose local data it is counts only where a group has some for that
// name. Of a view without a group nobody knows: true, and then the question has no answer, rather
// than another group's.
bool resolver_is_local(const struct resolver *r, const struct view *view,
	const struct dns_name *name, uint16_t qtype);
// Has it a local CNAME, or a circle of these?
bool resolver_local_alias(
	const struct resolver *r, const struct view *view, const struct dns_name *name);
