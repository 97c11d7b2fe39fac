// SPDX-License-Identifier: BSD-3-Clause
#include "stages.h"

#include <rte_ethdev.h>
#include <rte_prefetch.h>

void stage_rx(struct batch *b)
{
	struct rte_mbuf *burst[WORKER_BATCH];
	unsigned n = rte_eth_rx_burst(b->port->port_id, b->port->rx_queue, burst, WORKER_BATCH);
	batch_count(b, COUNTER_polls, 1);
	b->count = n;
	if (n == 0)
		return;
	const uint16_t mark = mbuf_mark(MBUF_OWNER_rx, b->w->now_ms);
	uint64_t bytes = 0;
	for (unsigned i = 0; i < n; i++) {
		struct packet *p = &b->store[i];
		const uint8_t *frame = rte_pktmbuf_mtod(burst[i], const uint8_t *);
		// Headers and question: a query of usual length ends on the second line.
		rte_prefetch0(frame);
		rte_prefetch0(frame + CACHE_LINE);
		bytes += burst[i]->pkt_len;
		mbuf_own(burst[i], mark);
		p->m = burst[i];
		b->pkt[i] = p;
	}
	batch_count(b, COUNTER_rx_frames, n);
	batch_count(b, COUNTER_rx_bytes, bytes);
	batch_count(b, COUNTER_batches, 1);
}
