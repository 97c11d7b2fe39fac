// SPDX-License-Identifier: BSD-3-Clause
#include "stages.h"

enum { MAC_SOURCE = 6, IPV4_SOURCE = 12, IPV6_SOURCE = 8 };

// Counted in a pass of their own: where a counter lies is known only at the end of a lookup, and
// the loads of the lookups after it would wait for that.
static void count(const struct batch *b)
{
	for (unsigned i = 0; i < b->count; i++)
		stats_add(&b->w->stats->group[b->pkt[i]->group], 1);
}

// Who is in the table of MAC addresses is in that group, whatever the address.
static void by_mac(const struct batch *b)
{
	for (unsigned i = 0; i < b->count; i++) {
		struct packet *p = b->pkt[i];
		const uint8_t *mac = rte_pktmbuf_mtod_offset(p->m, const uint8_t *, MAC_SOURCE);
		p->group = (uint8_t)policy_group_mac(&b->tables->policy, mac, p->group);
	}
}

// Before the parser, which hashes the question with the view of its client's group.
void stage_policy(struct batch *b)
{
	const struct worker_tables *t = b->tables;
	if (likely_(!t->has_groups))
		return;
	for (unsigned i = 0; i < b->count; i++) {
		struct packet *p = b->pkt[i];
		const uint8_t *ip = rte_pktmbuf_mtod_offset(p->m, const uint8_t *, p->l3);
		p->group = (uint8_t)(p->ip_version == 4
					     ? policy_group_v4(&t->policy, ip + IPV4_SOURCE)
					     : policy_group_v6(&t->policy, ip + IPV6_SOURCE));
	}
	if (t->policy.has_macs)
		by_mac(b);
	count(b);
}
