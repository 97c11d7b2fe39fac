// SPDX-License-Identifier: BSD-3-Clause
#include "send.h"
#include "stages.h"

#include <rte_ethdev.h>

#include <weir/bell.h>

static void pass_to_kernel(struct batch *b)
{
	if (likely_(b->kernel_count == 0))
		return;
	unsigned sent = rte_eth_tx_burst(
		b->port->exception_id, b->port->queue, b->kernel, (uint16_t)b->kernel_count);
	unsigned left = b->kernel_count - sent;
	batch_count(b, COUNTER_kernel_tx, sent);
	stats_add(&b->w->stats->verdict[VERDICT_to_kernel], sent);
	if (left) {
		stats_add(&b->w->stats->verdict[VERDICT_drop_exception_full], left);
		rte_pktmbuf_free_bulk(b->kernel + sent, left);
	}
	b->kernel_count = 0;
}

// The one system call of a turn, only when the control plane sleeps and all packets are out.
static void ring_control(struct batch *b)
{
	if (b->rang && ring_wants_wake(&b->w->miss) && b->w->bell > 0)
		bell_ring(b->w->bell);
}

void stage_tx(struct batch *b)
{
	if (b->tx_count) {
		send_to_clients(b->w, b->port, b->tx, b->tx_count);
		b->tx_count = 0;
	}
	pass_to_kernel(b);
	if (b->drop_count) {
		rte_pktmbuf_free_bulk(b->drop, b->drop_count);
		b->drop_count = 0;
	}
	ring_control(b);
	b->rang = false;
}
