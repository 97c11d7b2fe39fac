// SPDX-License-Identifier: BSD-3-Clause
#include "punt.h"
#include "send.h"
#include "stages.h"

#include <rte_ethdev.h>

unsigned stage_exception(struct worker *w, const struct worker_port *port)
{
	if (!port->has_exception)
		return 0;
	struct rte_mbuf *frame[WORKER_BATCH];
	unsigned n = rte_eth_rx_burst(port->exception_id, port->queue, frame, WORKER_BATCH);
	if (n == 0)
		return 0;
	stats_add(&w->stats->counter[COUNTER_kernel_rx], n);
	send_to_clients(w, port, frame, n);
	return n;
}

static void pass(
	struct worker *w, const struct worker_port *port, struct rte_mbuf **frame, unsigned n)
{
	unsigned sent = rte_eth_tx_burst(port->exception_id, port->queue, frame, (uint16_t)n);
	stats_add(&w->stats->counter[COUNTER_kernel_tx], sent);
	stats_add(&w->stats->verdict[VERDICT_to_kernel], sent);
	if (sent < n) {
		stats_add(&w->stats->verdict[VERDICT_drop_exception_full], n - sent);
		rte_pktmbuf_free_bulk(frame + sent, n - sent);
	}
}

unsigned stage_kernel(struct worker *w)
{
	struct punt *punt = &w->punt;
	struct rte_mbuf *frame[PUNT_PER_TURN];
	const struct worker_port *port = NULL;
	unsigned n = 0,
		 all = punt_waiting(punt) < PUNT_PER_TURN ? punt_waiting(punt) : PUNT_PER_TURN;
	for (unsigned i = 0; i < all; i++) {
		unsigned slot = punt->head++ % PUNT_SLOTS;
		if (n && punt->waiting_for[slot] != port) {
			pass(w, port, frame, n);
			n = 0;
		}
		port = punt->waiting_for[slot];
		frame[n++] = punt->waiting[slot];
	}
	if (n)
		pass(w, port, frame, n);
	return all;
}
