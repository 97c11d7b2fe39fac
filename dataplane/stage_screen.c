// SPDX-License-Identifier: BSD-3-Clause

// The first look at a port's frames where it has VLANs of its own, or tags that its driver takes
// off. Other ports pay one test for each batch (stage_net.c).

#include "stages.h"

#include <rte_ether.h>

#include <weir/bytes.h>

enum { VLAN_ID = 0xfff, AT_TYPE = 12, AT_TCI = 14 };

// Puts the tag back that the driver took off, so that all that follows sees the frame as it came,
// and the reply has it. False: there is no room for it.
static bool tag_restored(struct packet *p)
{
	struct rte_mbuf *m = p->m;
	if (likely_(!(m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED)))
		return true;
	const bool done = rte_vlan_insert(&m) == 0;
	p->m = m;
	m->ol_flags &= ~(RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_TX_VLAN);
	return done;
}

// 0: none. A frame too short for its tag is stage_net's to drop.
static unsigned vlan_of(const struct rte_mbuf *m)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	if (rte_pktmbuf_data_len(m) < AT_TCI + 2 || get_u16(frame + AT_TYPE) != RTE_ETHER_TYPE_VLAN)
		return 0;
	return get_u16(frame + AT_TCI) & VLAN_ID;
}

void stage_screen(struct batch *b)
{
	const uint64_t *allowed = b->port->vlans;
	unsigned kept = 0;
	for (unsigned i = 0; i < b->count; i++) {
		struct packet *p = b->pkt[i];
		if (!tag_restored(p)) {
			batch_drop(b, p, VERDICT_drop_runt);
			continue;
		}
		const unsigned id = vlan_of(p->m);
		if (allowed && !(allowed[id / 64] >> id % 64 & 1))
			batch_drop(b, p, VERDICT_drop_vlan);
		else
			b->pkt[kept++] = p;
	}
	b->count = kept;
}
