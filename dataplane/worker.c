// SPDX-License-Identifier: BSD-3-Clause
#include "worker.h"

#include "stages.h"

#include <rte_cycles.h>

#include <weir/clock.h>

unsigned worker_turn(struct worker *w, unsigned port_index)
{
	// Not cleared: 32 packets are 50 KiB, and each stage fills in what the next one reads.
	struct batch b;
	b.w = w;
	b.port = &w->port[port_index];
	b.tx_count = b.kernel_count = b.drop_count = 0;
	b.rang = false;

	uint64_t start_tsc = rte_rdtsc();
	stage_rx(&b);
	unsigned received = b.count;
	if (received == 0)
		return 0;
	b.tables = w->tables;
	b.now_ms = w->now_ms = clock_mono_coarse_ms();
	b.control_alive = atomic_load_explicit(&w->control_alive, memory_order_acquire);

	stage_net(&b);
	stage_parse(&b);
	stage_rules(&b);
	stage_lookup(&b);
	stage_miss(&b);
	stage_tx(&b);
	stats_add(&w->stats->counter[COUNTER_busy_cycles], rte_rdtsc() - start_tsc);
	return received;
}
