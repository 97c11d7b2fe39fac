// SPDX-License-Identifier: BSD-3-Clause

#include <weir/rule_data.h>
#include <weir/rule_reply.h>

struct rule_decision rule_decision_checked(const struct rule_reader *r,
	const struct rule_decision *d, bool named, const struct rule_set *by, bool typed)
{
	const unsigned list = rule_first_list(r, by);
	const struct rule_list_way *way = &r->way[list];
	const bool group = way->reply == RULE_REPLY_DATA || way->reply == RULE_REPLY_RESOLVE;
	struct rule_decision out = {
		.action = way->reply == RULE_REPLY_DROP ? RULE_DROP : RULE_BLOCK,
		.reply = group ? RULE_REPLY_GROUP : way->reply,
		.list = (uint8_t)list,
		.rule_class = way->rule_class,
		.matched = 1,
	};
	if (named)
		out = *d;
	out.typed |= typed || d->typed;
	return out;
}

uint16_t rule_reply_write(uint8_t *msg, size_t cap, const struct dns_query *q,
	const struct rule_reader *r, const struct rule_decision *d, const struct rule_reply_opts *o,
	uint16_t *sum)
{
	struct dns_answer_view answer;
	if (d->action == RULE_DATA && rule_data_find(r, o->hash, d->list, q->qtype, &answer)) {
		const struct dns_reply_opts opts = {.ttl_cap_s = o->ttl_cap_s,
			.ede = rule_class_ede(d->rule_class),
			.limit = o->limit};
		return dns_reply_answer(msg, cap, q, &answer, &opts, sum);
	}
	struct dns_block block = *o->block;
	block.mode = (uint8_t)rule_reply_mode(d, block.mode);
	return dns_reply_synthetic(
		msg, cap, q, &block, rule_class_ede(d->rule_class), o->limit, sum);
}
