// SPDX-License-Identifier: BSD-3-Clause

#include "idle_monitor.h"

#include <rte_cpuflags.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_pause.h>

#include <weir/log.h>

// DPDK 22.11 calls functions below experimental; they have not changed since.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

// A fact of the CPU, found before the first worker runs; the same for all of them.
static uint64_t pause_tsc; // 0: no TPAUSE

void idle_monitor_detect(void)
{
	struct rte_cpu_intrinsics cpu = {0};
	rte_cpu_get_intrinsics_support(&cpu);
	pause_tsc = cpu.power_pause ? rte_get_tsc_hz() / (1000000000 / IDLE_MONITOR_PAUSE_NS) : 0;
}

void idle_monitor_pause(void)
{
	if (pause_tsc)
		(void)rte_power_pause(rte_rdtsc() + pause_tsc);
	else
		rte_pause();
}

enum idle_monitor_way idle_monitor_way_of(bool one, bool several, unsigned found, unsigned queues)
{
	if (queues == 0 || found < queues)
		return IDLE_MONITOR_PAUSE; // a queue that is not monitored would wait for the
					   // others
	if (several)
		return IDLE_MONITOR_ALL_LINES;
	return one && queues == 1 ? IDLE_MONITOR_ONE_LINE : IDLE_MONITOR_PAUSE;
}

static const char *const ways[] = {
	[IDLE_MONITOR_PAUSE] = "pauses only: the CPU or a port's driver cannot do more",
	[IDLE_MONITOR_ONE_LINE] = "the line of its RX queue",
	[IDLE_MONITOR_ALL_LINES] = "the lines of its RX queues and answers",
};

// Not 0: the tail has moved, do not wait.
static int answers_came(const uint64_t tail, const uint64_t seen[RTE_POWER_MONITOR_OPAQUE_SZ])
{
	return tail != seen[0] ? -1 : 0;
}

static void watch_answers(struct idle_monitor *p, const struct worker *w)
{
	for (unsigned r = 0; r < w->resolvers; r++)
		p->line[p->queues + r] = (struct rte_power_monitor_cond){
			.addr = (volatile void *)(uintptr_t)&w->answer[r].tail->units,
			.size = sizeof(uint64_t),
			.fn = answers_came,
			.opaque = {w->answer[r].next},
		};
}

// Gets the next descriptor of each queue; returns how many drivers report it.
static unsigned watch_queues(struct idle_monitor *p, const struct worker *w)
{
	unsigned found = 0;
	for (unsigned i = 0; i < w->port_count; i++) {
		const struct worker_port *port = &w->port[i];
		struct rte_power_monitor_cond *at = &p->line[found];
		found += rte_eth_get_monitor_addr(port->port_id, port->rx_queue, at) == 0;
		if (!port->has_exception)
			continue;
		at = &p->line[found];
		found += rte_eth_get_monitor_addr(port->exception_id, port->queue, at) == 0;
	}
	p->queues = found;
	return found;
}

void idle_monitor_init(struct idle_monitor *p, const struct worker *w)
{
	struct rte_cpu_intrinsics cpu = {0};
	const uint64_t hz = rte_get_tsc_hz();
	unsigned queues = 0;
	*p = (struct idle_monitor){.watch_tsc = hz / (1000000 / IDLE_MONITOR_WATCH_US),
		.blind_tsc = hz / (1000000 / IDLE_MONITOR_BLIND_US)};
	rte_cpu_get_intrinsics_support(&cpu);
	for (unsigned i = 0; i < w->port_count; i++)
		queues += w->port[i].has_exception ? 2 : 1;
	unsigned found = cpu.power_monitor ? watch_queues(p, w) : 0;
	p->way = idle_monitor_way_of(cpu.power_monitor, cpu.power_monitor_multi, found, queues);
	log_info("worker %u: poll: monitor: %s", w->index, ways[p->way]);
}

void idle_monitor_wait(struct idle_monitor *p, const struct worker *w)
{
	if (p->way == IDLE_MONITOR_PAUSE) {
		idle_monitor_pause();
		return;
	}
	unsigned before = p->queues;
	if (watch_queues(p, w) != before)
		return; // a port is being stopped
	watch_answers(p, w);
	if (p->way == IDLE_MONITOR_ALL_LINES)
		(void)rte_power_monitor_multi(
			p->line, p->queues + w->resolvers, rte_rdtsc() + p->watch_tsc);
	else
		(void)rte_power_monitor(&p->line[0], rte_rdtsc() + p->blind_tsc);
}
