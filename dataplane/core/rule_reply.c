// SPDX-License-Identifier: BSD-3-Clause

#include <weir/rule_data.h>
#include <weir/rule_reply.h>

// What a rule's own reply is; DNS_BLOCK_MODES: it leaves that to the client's group.
static enum dns_block_mode mode_of(const struct rule_decision *d)
{
	switch ((enum rule_reply)d->reply) {
	case RULE_REPLY_NXDOMAIN:
		return DNS_BLOCK_NXDOMAIN;
	case RULE_REPLY_NODATA:
	case RULE_REPLY_DATA: // the name has none of that type
		return DNS_BLOCK_NODATA;
	case RULE_REPLY_NULL:
		return DNS_BLOCK_NULL;
	case RULE_REPLY_REFUSED:
		return DNS_BLOCK_REFUSED;
	default:
		return DNS_BLOCK_MODES;
	}
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
	enum dns_block_mode mode = mode_of(d);
	const struct dns_block own = {.mode = (uint8_t)mode, .ttl_s = o->block->ttl_s};
	return dns_reply_synthetic(msg, cap, q, mode == DNS_BLOCK_MODES ? o->block : &own,
		rule_class_ede(d->rule_class), o->limit, sum);
}
