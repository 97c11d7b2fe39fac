// SPDX-License-Identifier: BSD-3-Clause

// What answers lead to: judged when they arrive, told apart for each waiter (judge.h).
#include "resolver_internal.h"

#include <weir/clock.h>

bool judged_blocks(const struct resolver *r, const struct dns_query *q, const struct waiter *w,
	const struct judge_finding *finding, uint16_t *list, struct dns_block *block)
{
	struct policy_group group;

	if (!finding || finding->count == 0 || !r->judge
		|| !publisher_blocks(r->publisher, clock_mono_ms()))
		return false;
	policy_group_at(r->publisher, w->policy, w->group, &group);
	int found = judge_finding_list(finding, group.lists);
	if (found < 0 || judge_allows(r->judge, &q->name, q->qtype, group.lists))
		return false;
	*list = (uint16_t)found;
	*block = group.block;
	return true;
}

void judge_for(const struct resolver *r, const struct dns_query *q,
	const struct dns_answer_view *answer, struct judge_finding *out)
{
	out->count = 0;
	if (r->judge)
		judge_answer(r->judge, JUDGE_ON_RESOLVER, &q->name, q->qtype, answer, out);
}

void judge_reply(struct resolver *r, const struct dns_query *q, const struct dns_answer *a,
	struct judge_finding *out)
{
	const struct dns_answer_view view = dns_answer_view_of(a);

	judge_for(r, q, &view, out);
	r->count.judge.answers += r->judge != NULL;
	r->count.judge.listed += out->count > 0;
}

bool judged_mask(struct resolver *r, const struct judge_finding *finding, struct rule_set *mask)
{
	bool exact = judge_finding_mask(finding, mask);
	r->count.judge.not_kept += !exact;
	return exact;
}

void judged_record(const struct resolver *r, const struct l0_view *v, struct judge_finding *out)
{
	out->count = 0;
	if (v->judged && r->judge)
		judge_finding_of_mask(&v->mask, judge_allowing(r->judge), out);
}

bool question_blocked(struct resolver *r, const struct dns_query *q, const struct waiter *w)
{
	struct judge_finding finding;

	if (!r->judge || !judge_concerns_names(r->judge))
		return false;
	judge_question(r->judge, JUDGE_ON_RESOLVER, &q->name, q->qtype, &finding);
	struct dns_block block;
	uint16_t list;
	if (!judged_blocks(r, q, w, &finding, &list, &block))
		return false;
	const struct resolver_answer a = {.finding = &finding};
	r->count.judge.questions_blocked++;
	answer_one(r, q, w, &a);
	return true;
}

void judge_tables(const struct resolver *r, struct table_registry *tables)
{
	static const struct judge_counts none;
	const struct judge_counts *c = r->judge ? judge_counts(r->judge) : &none;

	table_register(
		tables, &(struct table_info){.name = "judge_patterns",
				.owner = "rules helper thread",
				.eviction = "refuse patterns over number, size or time",
				.lifetime = "until the next image",
				.cap = JUDGE_PATTERNS_MAX,
				.used = c->patterns.compiled,
				.bytes = c->patterns.bytes,
				.refused = c->patterns.refused_count + c->patterns.refused_size
					   + c->patterns.refused_time,
				.has = TABLE_REFUSES});
	table_register(tables, &(struct table_info){.name = "judge_prefixes",
				       .owner = "rules helper thread",
				       .eviction = "refuse entries over the number",
				       .lifetime = "until the next image",
				       .cap = JUDGE_PREFIXES_MAX,
				       .used = c->prefixes.taken,
				       .bytes = c->prefixes.bytes,
				       .refused = c->prefixes.refused_count,
				       .has = TABLE_REFUSES});
}
