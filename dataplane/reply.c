// SPDX-License-Identifier: BSD-3-Clause
#include "reply.h"

#include "reply_line.h"

#include <weir/rule_data.h>
#include <weir/rule_mask.h>

void reply_answer(struct batch *b, struct packet *p, const struct l0_view *view, bool stale)
{
	reply_line_answer(b, p, view, stale);
}

static const struct dns_block *block_of(const struct batch *b, const struct packet *p)
{
	const struct worker_tables *t = b->tables;
	return t->has_groups ? &t->policy.group[p->group].block : &t->config.block;
}

static void reply_synthetic(
	struct batch *b, struct packet *p, const struct dns_block *block, int ede, enum verdict v)
{
	uint16_t sum = 0;
	uint16_t len = dns_reply_synthetic(
		packet_dns(p), packet_dns_room(p), &p->q, block, ede, reply_line_limit(b), &sum);
	reply_line_finish(b, p, len, sum, v);
}

static int ede_of(const struct rule_decision *d)
{
	return d->rule_class == RULE_CLASS_LOCAL ? DNS_EDE_NONE : DNS_EDE_BLOCKED;
}

static enum verdict verdict_of(const struct rule_decision *d)
{
	return d->rule_class == RULE_CLASS_LOCAL ? VERDICT_local : VERDICT_blocked;
}

static void reply_mode(
	struct batch *b, struct packet *p, const struct rule_decision *d, enum dns_block_mode mode)
{
	struct dns_block block = {.mode = (uint8_t)mode, .ttl_s = block_of(b, p)->ttl_s};
	reply_synthetic(b, p, &block, ede_of(d), verdict_of(d));
}

void reply_ruled(struct batch *b, struct packet *p, const struct rule_decision *d)
{
	switch ((enum rule_reply)d->reply) {
	case RULE_REPLY_NXDOMAIN:
		reply_mode(b, p, d, DNS_BLOCK_NXDOMAIN);
		return;
	case RULE_REPLY_NODATA:
		reply_mode(b, p, d, DNS_BLOCK_NODATA);
		return;
	case RULE_REPLY_NULL:
		reply_mode(b, p, d, DNS_BLOCK_NULL);
		return;
	case RULE_REPLY_REFUSED:
		reply_mode(b, p, d, DNS_BLOCK_REFUSED);
		return;
	default:
		reply_synthetic(b, p, block_of(b, p), ede_of(d), verdict_of(d));
	}
}

void reply_data(struct batch *b, struct packet *p, const struct rule_decision *d)
{
	struct dns_answer_view answer;
	if (!rule_data_find(
		    &b->tables->rules, p->probe.hash[d->index], d->list, p->q.qtype, &answer)) {
		reply_mode(b, p, d, DNS_BLOCK_NODATA);
		return;
	}
	const struct dns_reply_opts o = {
		.ttl_cap_s = b->tables->config.client_ttl_cap_s,
		.ede = ede_of(d),
		.limit = reply_line_limit(b),
	};
	uint16_t sum = 0;
	uint16_t len =
		dns_reply_answer(packet_dns(p), packet_dns_room(p), &p->q, &answer, &o, &sum);
	reply_line_finish(b, p, len, sum, verdict_of(d));
}

bool reply_is_judged(const struct batch *b, const struct packet *p, const struct l0_view *view)
{
	const struct rule_reader *r = &b->tables->rules;
	if (!view->judged || !b->blocks || (b->rules && p->probe.candidates && p->allowed))
		return false;
	uint64_t allowing[4] = {0};
	for (unsigned class = 0; class < RULE_CLASSES; class ++)
		for (unsigned w = 0; w < 4 && RULE_MASK_ALLOWING >> class & 1; w++)
			allowing[w] |= r->of_class[class][w];
	return rule_mask_blocks(&view->mask, allowing, batch_lists(b, p));
}

void reply_judged(struct batch *b, struct packet *p)
{
	reply_synthetic(b, p, block_of(b, p), DNS_EDE_BLOCKED, VERDICT_blocked_answer);
}

void reply_rcode(struct batch *b, struct packet *p, uint16_t rcode, int ede, enum verdict v)
{
	uint16_t sum = 0;
	uint16_t len = dns_reply_rcode(packet_dns(p), packet_dns_room(p), &p->q, rcode, ede, &sum);
	reply_line_finish(b, p, len, sum, v);
}
