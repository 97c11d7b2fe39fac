// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Applies the answer policy (answer_policy/answer_policy.h): checks answers when they arrive,
// decides for each waiter, and checks cached answers again under a new image. Resolver loop's
// thread.

#include "resolver_internal.h"

ATTR_MUST_CHECK int resolver_check_open(struct resolver *r);
void resolver_check_close(struct resolver *r);

// Checks an answer to query `q` in view `in` against the lists; sets all of *out.
void resolver_check_answer(const struct resolver *r, const struct view *in,
	const struct dns_query *q, const struct dns_answer_view *answer, struct answer_match *out);
// Like resolver_check_answer, for a reply; counts the result.
void resolver_check_reply(struct resolver *r, const struct view *in, const struct dns_query *q,
	const struct dns_answer *a, struct answer_match *out);
// Sets *out for a cached record, by its mask.
void resolver_check_record(
	const struct resolver *r, const struct l0_view *v, struct answer_match *out);
// The mask of a match. False: there is no exact mask, so the answer must not be cached (counted).
bool resolver_check_mask(
	struct resolver *r, const struct answer_match *finding, struct rule_set *mask);
// Does the policy block this answer for the waiter's client, by the group that the client had when
// its query was accepted? Then *out is the decision, and *block the group's block reply.
bool resolver_check_blocks(const struct resolver *r, const struct dns_query *q,
	const struct waiter *w, const struct answer_match *finding, struct rule_ruling *out,
	struct dns_block *block);
void resolver_check_tables(const struct resolver *r, struct table_registry *tables);

// Do local records, local zones or special-use names answer `name` for the clients of this view?
// False before the first rule image. The group counts only where a group has local data for the
// name. A view without a group: true, so that the question has no answer rather than another
// group's.
bool resolver_is_local(const struct resolver *r, const struct view *view,
	const struct dns_name *name, uint16_t qtype);
// Is that so for any type that a record can have?
bool resolver_has_local(
	const struct resolver *r, const struct view *view, const struct dns_name *name);
// The labels of the forward zone that the name is in; -1: it is in none.
int resolver_forward_labels(
	const struct resolver *r, const struct view *view, const struct dns_name *name);
// The answer of the house (house.h) to `q`, whose question is in `msg` behind the room for the
// header. Its length; 0: the name is to be resolved.
size_t resolver_house_answer(struct resolver *r, const struct view *view, const struct dns_query *q,
	uint8_t *msg, size_t cap);
// Would it have one to some type?
bool resolver_is_house(
	const struct resolver *r, const struct view *view, const struct dns_name *name);
// Has the name a local CNAME, or a loop of CNAMEs?
bool resolver_local_alias(
	const struct resolver *r, const struct view *view, const struct dns_name *name);
