// SPDX-License-Identifier: BSD-3-Clause
#include "exception.h"
#include "send.h"
#include "stages.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>

static unsigned take(struct worker *w, const struct worker_port *port)
{
	struct rte_mbuf *frame[WORKER_BATCH];
	unsigned n = rte_eth_rx_burst(port->exception_id, port->queue, frame, WORKER_BATCH);
	if (n == 0)
		return 0;
	stats_add(&w->stats->counter[COUNTER_kernel_rx], n);
	for (unsigned i = 0; i < n; i++) {
		mbuf_own(frame[i], mbuf_mark(MBUF_OWNER_kernel_rx, w->now_ms));
		kernel_flows_saw(&w->kernel_flows, frame[i], w->now_ms);
	}
	send_to_clients(w, port, frame, n);
	return n;
}

unsigned stage_exceptions(struct worker *w, uint64_t tsc)
{
	unsigned frames = 0;
	// Wraps, and so ends at once, when the clock was set back.
	if (tsc - w->kernel_looked_tsc < w->kernel_look_cycles)
		return 0;
	for (unsigned p = 0; p < w->port_count; p++) {
		if (worker_port_reads_kernel(&w->port[p]))
			frames += take(w, &w->port[p]);
	}
	w->kernel_looked_tsc = frames ? tsc - w->kernel_look_cycles : tsc;
	return frames;
}

static void pass(struct worker *w, const struct worker_port *port, struct rte_mbuf *frame)
{
	mbuf_own(frame, mbuf_mark(MBUF_OWNER_kernel_tx, w->now_ms));
	if (likely_(rte_eth_tx_burst(port->exception_id, port->queue, &frame, 1) == 1)) {
		stats_add(&w->stats->counter[COUNTER_kernel_tx], 1);
		stats_add(&w->stats->verdict[VERDICT_to_kernel], 1);
	} else {
		stats_add(&w->stats->verdict[VERDICT_drop_exception_full], 1);
		mbuf_own(frame,
			mbuf_mark(MBUF_OWNER_VERDICTS + VERDICT_drop_exception_full, w->now_ms));
		rte_pktmbuf_free(frame);
	}
}

unsigned stage_kernel(struct worker *w, bool crowded)
{
	struct exception *exception = &w->exception;
	if (likely_(exception_waiting(exception) == 0))
		return 0;
	const uint64_t until = crowded ? 0 : rte_rdtsc() + w->slow_cycles / EXCEPTION_SHARE;
	unsigned n = 0;
	do {
		unsigned slot = exception->head % EXCEPTION_SLOTS;
		// The main lcore shows how many wait.
		__atomic_store_n(&exception->head, exception->head + 1, __ATOMIC_RELAXED);
		pass(w, exception->waiting_for[slot], exception->waiting[slot]);
		n++;
	} while (n < EXCEPTION_PER_TURN && exception_waiting(exception) && rte_rdtsc() < until);
	return n;
}
