// SPDX-License-Identifier: BSD-3-Clause
#include "send.h"

#include "state/mbuf_owner.h"

#include <rte_ethdev.h>

unsigned send_to_clients(
	struct worker *w, const struct worker_port *port, struct rte_mbuf **frame, unsigned n)
{
	// First: a sent frame may no longer be touched.
	const uint16_t mark = mbuf_mark(MBUF_OWNER_tx, w->now_ms);
	uint64_t bytes = 0;
	for (unsigned i = 0; i < n; i++) {
		bytes += frame[i]->pkt_len;
		mbuf_own(frame[i], mark);
	}
	unsigned sent = rte_eth_tx_burst(port->port_id, port->queue, frame, (uint16_t)n);
	for (unsigned i = sent; i < n; i++) {
		bytes -= frame[i]->pkt_len;
		mbuf_own(frame[i], mbuf_mark(MBUF_OWNER_tx_full, w->now_ms));
	}
	stats_add(&w->stats->counter[COUNTER_tx_frames], sent);
	stats_add(&w->stats->counter[COUNTER_tx_bytes], bytes);
	if (unlikely_(sent < n)) {
		stats_add(&w->stats->counter[COUNTER_tx_full], n - sent);
		rte_pktmbuf_free_bulk(frame + sent, n - sent);
	}
	return sent;
}
