// SPDX-License-Identifier: BSD-3-Clause

// What answers lead to: checked when they arrive, told apart for each waiter (answer_policy.h).
#include "resolver_internal.h"

#include <weir/clock.h>

bool resolver_check_blocks(const struct resolver *r, const struct dns_query *q,
	const struct waiter *w, const struct answer_match *finding, uint16_t *list,
	struct dns_block *block)
{
	struct policy_group group;

	if (!finding || finding->count == 0 || !r->answer_policy
		|| !publisher_blocks(r->publisher, clock_mono_ms()))
		return false;
	policy_group_at(r->publisher, w->policy, w->group, &group);
	int found = answer_match_list(finding, group.lists);
	if (found < 0 || answer_policy_allows(r->answer_policy, &q->name, q->qtype, group.lists))
		return false;
	*list = (uint16_t)found;
	*block = group.block;
	return true;
}

void resolver_check_for(const struct resolver *r, const struct dns_query *q,
	const struct dns_answer_view *answer, struct answer_match *out)
{
	out->count = 0;
	if (r->answer_policy)
		answer_policy_answer(r->answer_policy, ANSWER_POLICY_ON_RESOLVER, &q->name,
			q->qtype, answer, out);
}

void resolver_check_reply(struct resolver *r, const struct dns_query *q, const struct dns_answer *a,
	struct answer_match *out)
{
	const struct dns_answer_view view = dns_answer_view_of(a);

	resolver_check_for(r, q, &view, out);
	r->count.answer_policy.answers += r->answer_policy != NULL;
	r->count.answer_policy.listed += out->count > 0;
}

bool resolver_checked_mask(
	struct resolver *r, const struct answer_match *finding, struct rule_set *mask)
{
	bool exact = answer_match_mask(finding, mask);
	r->count.answer_policy.not_kept += !exact;
	return exact;
}

void resolver_checked_record(
	const struct resolver *r, const struct l0_view *v, struct answer_match *out)
{
	out->count = 0;
	if (v->masked && r->answer_policy)
		answer_match_of_mask(&v->mask, answer_policy_allowing(r->answer_policy), out);
}

bool question_blocked(struct resolver *r, const struct dns_query *q, const struct waiter *w)
{
	struct answer_match finding;

	if (!r->answer_policy || !answer_policy_concerns_names(r->answer_policy))
		return false;
	answer_policy_question(
		r->answer_policy, ANSWER_POLICY_ON_RESOLVER, &q->name, q->qtype, &finding);
	struct dns_block block;
	uint16_t list;
	if (!resolver_check_blocks(r, q, w, &finding, &list, &block))
		return false;
	const struct resolver_answer a = {.finding = &finding};
	r->count.answer_policy.questions_blocked++;
	resolver_answer_one(r, q, w, &a);
	return true;
}

void resolver_answer_policy_tables(const struct resolver *r, struct table_registry *tables)
{
	static const struct answer_policy_counts none;
	const struct answer_policy_counts *c =
		r->answer_policy ? answer_policy_counts(r->answer_policy) : &none;

	table_register(
		tables, &(struct table_info){.name = "answer_patterns",
				.owner = "rules helper thread",
				.eviction = "refuse patterns over number, size or time",
				.lifetime = "until the next image",
				.cap = ANSWER_PATTERNS_MAX,
				.used = c->patterns.compiled,
				.bytes = c->patterns.bytes,
				.refused = c->patterns.refused_count + c->patterns.refused_size
					   + c->patterns.refused_time,
				.has = TABLE_REFUSES});
	table_register(tables, &(struct table_info){.name = "answer_prefixes",
				       .owner = "rules helper thread",
				       .eviction = "refuse entries over the number",
				       .lifetime = "until the next image",
				       .cap = ANSWER_PREFIXES_MAX,
				       .used = c->prefixes.taken,
				       .bytes = c->prefixes.bytes,
				       .refused = c->prefixes.refused_count,
				       .has = TABLE_REFUSES});
}
