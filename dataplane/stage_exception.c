// SPDX-License-Identifier: BSD-3-Clause
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
