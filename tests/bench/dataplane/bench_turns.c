// SPDX-License-Identifier: BSD-3-Clause
#include "bench_turns.h"

#include "dataplane/stage/frame.h"
#include "dataplane/turn.h"

#include <weir/bytes.h>

unsigned worker_turn_timed(struct worker *w, unsigned port_index, struct stage_cycles *c)
{
	return turn_run(w, port_index, LAPS_ALL, c);
}

unsigned worker_turn_metered(struct worker *w, unsigned port_index, struct stage_cycles *c)
{
	return turn_run(w, port_index, LAPS_RX, c);
}

static void swap(uint8_t *a, uint8_t *b, unsigned len)
{
	uint8_t was[16];
	memcpy(was, a, len);
	memcpy(a, b, len);
	memcpy(b, was, len);
}

static void reflect(struct rte_mbuf *m)
{
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);
	unsigned len = rte_pktmbuf_data_len(m);
	if (len < FRAME_ETHER_LEN + FRAME_VLAN_LEN)
		return;
	swap(frame, frame + 6, 6);
	bool has_vlan = get_u16(frame + 12) == RTE_ETHER_TYPE_VLAN;
	uint16_t ether_type = get_u16(frame + (has_vlan ? 16 : 12));
	unsigned ip = FRAME_ETHER_LEN + (has_vlan ? FRAME_VLAN_LEN : 0);
	if (ether_type == RTE_ETHER_TYPE_IPV4 && len >= ip + FRAME_IPV4_LEN + FRAME_UDP_LEN) {
		swap(frame + ip + 12, frame + ip + 16, 4);
		swap(frame + ip + FRAME_IPV4_LEN, frame + ip + FRAME_IPV4_LEN + 2, 2);
	} else if (ether_type == RTE_ETHER_TYPE_IPV6
		   && len >= ip + FRAME_IPV6_LEN + FRAME_UDP_LEN) {
		swap(frame + ip + 8, frame + ip + 24, 16);
		swap(frame + ip + FRAME_IPV6_LEN, frame + ip + FRAME_IPV6_LEN + 2, 2);
	}
}

unsigned worker_turn_reflect(struct worker *w, unsigned port_index, struct stage_cycles *c)
{
	struct batch b;
	b.w = w;
	b.port = &w->port[port_index];
	b.tx_count = b.kernel_count = b.drop_count = 0;
	b.asked = 0;
	b.proxied = 0;
	b.logs = false;
	uint64_t start_tsc = rte_rdtsc();
	stage_rx(&b);
	if (b.count == 0)
		return 0;
	c->last = start_tsc;
	lap(c, LAPS_RX, STAGE_rx);
	for (unsigned i = 0; i < b.count; i++) {
		reflect(b.store[i].m);
		b.tx[b.tx_count++] = b.store[i].m;
	}
	stats_add(&w->stats->verdict[VERDICT_reflected], b.count);
	stage_tx(&b);
	meter(c, rte_rdtsc() - start_tsc, b.count);
	return b.count;
}
