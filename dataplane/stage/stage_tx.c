// SPDX-License-Identifier: BSD-3-Clause
#include "ask.h"
#include "exception.h"
#include "send.h"
#include "stages.h"

// exception_verdict has checked that there is room.
static void keep_for_kernel(struct batch *b)
{
	struct exception *exception = &b->w->exception;
	uint32_t tail = exception->tail;
	for (unsigned i = 0; i < b->kernel_count; i++) {
		unsigned slot = tail++ % EXCEPTION_SLOTS;
		exception->waiting[slot] = b->kernel[i];
		exception->waiting_for[slot] = b->port;
	}
	__atomic_store_n(&exception->tail, tail, __ATOMIC_RELAXED); // the main lcore shows it
	assert(exception_waiting(exception) <= EXCEPTION_WAITING);
	b->kernel_count = 0;
}

void stage_drop_replies(struct batch *b)
{
	stats_add(&b->w->stats->counter[COUNTER_tx_evicted], b->tx_count);
	if (b->tx_count)
		rte_pktmbuf_free_bulk(b->tx, b->tx_count);
	b->tx_count = 0;
}

void stage_tx(struct batch *b)
{
	if (unlikely_(b->proxied))
		stage_proxy_return(b);
	if (b->tx_count) {
		send_to_clients(b->w, b->port, b->tx, b->tx_count);
		b->tx_count = 0;
	}
	keep_for_kernel(b);
	if (b->drop_count) {
		rte_pktmbuf_free_bulk(b->drop, b->drop_count);
		b->drop_count = 0;
	}
	ask_wake(b->w, b->asked);
	b->asked = 0;
}
