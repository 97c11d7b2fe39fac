// SPDX-License-Identifier: BSD-3-Clause

#include <weir/rule_data.h>
#include <weir/rule_reply.h>

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
	enum dns_block_mode mode = rule_reply_mode(d->reply);
	const struct dns_block own = {.mode = (uint8_t)mode, .ttl_s = o->block->ttl_s};
	return dns_reply_synthetic(msg, cap, q, mode == DNS_BLOCK_MODES ? o->block : &own,
		rule_class_ede(d->rule_class), o->limit, sum);
}
