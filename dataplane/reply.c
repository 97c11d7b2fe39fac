// SPDX-License-Identifier: BSD-3-Clause
#include "reply.h"

#include "reply_line.h"

void reply_answer(struct batch *b, struct packet *p, const struct l0_view *view, bool stale)
{
	reply_line_answer(b, p, view, stale);
}

void reply_blocked(struct batch *b, struct packet *p)
{
	const struct worker_tables *t = b->tables;
	const struct dns_block *block =
		t->has_groups ? &t->policy.group[p->group].block : &t->config.block;
	uint16_t sum = 0;
	uint16_t len = dns_reply_blocked(
		packet_dns(p), packet_dns_room(p), &p->q, block, reply_line_limit(b), &sum);
	reply_line_finish(b, p, len, sum, VERDICT_blocked);
}

void reply_rcode(struct batch *b, struct packet *p, uint16_t rcode, int ede, enum verdict v)
{
	uint16_t sum = 0;
	uint16_t len = dns_reply_rcode(packet_dns(p), packet_dns_room(p), &p->q, rcode, ede, &sum);
	reply_line_finish(b, p, len, sum, v);
}
