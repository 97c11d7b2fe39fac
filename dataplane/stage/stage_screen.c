// SPDX-License-Identifier: BSD-3-Clause

// Filters the frames of a port with VLANs of its own, with tags that its driver strips, or with
// frames for other hosts. Other ports pay one test for each batch (stage_net.c).

#include "frame.h"
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

// The tag of a frame, or 0. A frame too short for its tag is stage_net's to drop.
static unsigned vlan_of(const struct rte_mbuf *m)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	if (rte_pktmbuf_data_len(m) < AT_TCI + 2 || get_u16(frame + AT_TYPE) != RTE_ETHER_TYPE_VLAN)
		return 0;
	return get_u16(frame + AT_TCI) & VLAN_ID;
}

// Is the frame for this port, or for many? To answer what is for another host would teach switches
// that host's address at the wrong port. A runt is stage_net's to drop.
ATTR_INLINE bool is_for_port(const struct worker_port *port, const struct rte_mbuf *m)
{
	enum { OTHERS_BITS = 16 };
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	uint64_t to;
	memcpy(&to, frame, sizeof(to));
	to = to << OTHERS_BITS >> OTHERS_BITS;
	if (likely_(to == port->macs[0]) || (frame[0] & 1))
		return true;
	for (unsigned i = 1; i < port->mac_count; i++) {
		if (to == port->macs[i])
			return true;
	}
	return rte_pktmbuf_data_len(m) < FRAME_ETHER_LEN;
}

void stage_screen(struct batch *b)
{
	const struct worker_port *port = b->port;
	const uint64_t *allowed = port->vlans;
	unsigned kept = 0;
	for (unsigned i = 0; i < b->count; i++) {
		struct packet *p = b->pkt[i];
		if (!tag_restored(p)) {
			batch_drop(b, p, VERDICT_drop_runt);
			continue;
		}
		if (port->mac_count && unlikely_(!is_for_port(port, p->m))) {
			batch_drop(b, p, VERDICT_drop_other_host);
			continue;
		}
		const unsigned id = allowed ? vlan_of(p->m) : 0;
		if (allowed && !(allowed[id / 64] >> id % 64 & 1))
			batch_drop(b, p, VERDICT_drop_vlan);
		else
			b->pkt[kept++] = p;
	}
	b->count = kept;
}
