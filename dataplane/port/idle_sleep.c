// SPDX-License-Identifier: BSD-3-Clause
#include "idle_sleep.h"

#include <rte_cpuflags.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_pause.h>

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weir/bell.h>
#include <weir/clock.h>
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

static void idle_monitor_pause(void)
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

bool idle_sleep_asks_port(const char *driver, const char *device)
{
	// Only PCI addresses have colons.
	return strcmp(driver, "net_tap") == 0 || strchr(device, ':');
}

// Adds a queue's descriptor; false if it has none.
static bool add_queue(struct idle_sleep *d, uint16_t port_id, uint16_t queue)
{
	char device[RTE_ETH_NAME_MAX_LEN];
	struct rte_eth_dev_info info;
	// One that was not asked for interrupts would complain.
	if (rte_eth_dev_get_name_by_port(port_id, device) != 0
		|| rte_eth_dev_info_get(port_id, &info) != 0
		|| !idle_sleep_asks_port(info.driver_name, device))
		return false;
	int fd = rte_eth_dev_rx_intr_ctl_q_get_fd(port_id, queue);
	if (fd < 0)
		return false;
	bool level = strcmp(info.driver_name, "net_tap") == 0;
	if (!level) {
		if (rte_eth_dev_rx_intr_enable(port_id, queue) != 0)
			return false;
		(void)rte_eth_dev_rx_intr_disable(port_id, queue);
	}
	d->queue[d->fd_count] =
		(struct idle_sleep_queue){.port_id = port_id, .queue = queue, .arm = !level};
	d->fd[d->fd_count++] = (struct pollfd){.fd = fd, .events = POLLIN};
	return true;
}

void idle_sleep_init(struct idle_sleep *d, const struct worker *w)
{
	*d = (struct idle_sleep){
		.fd = {{.fd = w->bell > 0 ? w->bell : -1, .events = POLLIN}},
		.fd_count = 1,
		.ports_ring = w->port_count > 0,
	};
	for (unsigned i = 0; i < w->port_count; i++) {
		const struct worker_port *p = &w->port[i];
		d->ports_ring &= add_queue(d, p->port_id, p->rx_queue);
		if (worker_port_reads_kernel(p))
			d->ports_ring &= add_queue(d, p->exception_id, p->queue);
	}
}

static void arm(struct idle_sleep *d, bool on)
{
	for (unsigned i = 1; i < d->fd_count; i++) {
		const struct idle_sleep_queue *q = &d->queue[i];
		if (!q->arm)
			continue;
		// After an error the backstop's timer ends the sleep.
		if (on)
			(void)rte_eth_dev_rx_intr_enable(q->port_id, q->queue);
		else
			(void)rte_eth_dev_rx_intr_disable(q->port_id, q->queue);
		d->armed = on;
	}
}

static bool needs_arming(const struct idle_sleep *d)
{
	for (unsigned i = 1; i < d->fd_count; i++) {
		if (d->queue[i].arm && !d->armed)
			return true;
	}
	return false;
}

// Frames waited without an interrupt.
static void note_missed(struct idle_sleep *d)
{
	d->timed_out = false;
	if (++d->missed < IDLE_SLEEP_MISSED)
		return;
	d->ports_ring = false;
	log_warning("worker: frames wait, but the interrupts of its ports do not arrive (%u times "
		    "in a row); the worker polls on a timer",
		d->missed);
}

void idle_sleep_busy(struct idle_sleep *d)
{
	if (unlikely_(d->timed_out))
		note_missed(d);
	else if (d->port_woke)
		d->missed = 0;
	d->idle_turns = 0;
	d->fruitless = 0;
	d->port_woke = false;
	if (unlikely_(d->armed))
		arm(d, false);
}

static void empty_eventfd(int fd)
{
	uint64_t rung;
	(void)!read(fd, &rung, sizeof(rung));
}

// A bell that takes the place of this one while it is looked at is tried as well.
static void look_at_bell(struct idle_sleep *d, const struct worker *w)
{
	const uint32_t taken = atomic_load_explicit(&w->bells_taken, memory_order_acquire);
	if (!d->fd[0].revents || bell_clear(d->fd[0].fd))
		return;
	log_warning("worker: the control plane closed its wake-up socket; the worker polls on a "
		    "timer");
	d->fd[0].fd = -1;
	d->bells_taken = taken;
}

// Handles poll's result for each descriptor.
static void look_at(struct idle_sleep *d, const struct worker *w)
{
	look_at_bell(d, w);
	for (unsigned i = 1; i < d->fd_count; i++) {
		short got = d->fd[i].revents;
		if (got & (POLLERR | POLLHUP | POLLNVAL)) {
			log_warning("worker: no more interrupts for queue %u of port %u; the "
				    "worker polls on a timer",
				d->queue[i].queue, d->queue[i].port_id);
			d->fd[i].fd = -1;
			d->ports_ring = false;
		} else if (got & POLLIN) {
			d->port_woke = true;
			if (d->queue[i].arm)
				empty_eventfd(d->fd[i].fd);
		}
	}
	// An interrupt may be good for one time only. If this one brings no frame, the queue must
	// be armed again before the next sleep, or the backstop's time is all that ends it.
	if (d->port_woke && d->armed)
		arm(d, false);
}

// Whatever comes ends a sleep.
static bool everything_rings(const struct idle_sleep *d)
{
	return d->ports_ring && d->fd[0].fd >= 0 && d->fruitless < IDLE_SLEEP_FRUITLESS;
}

// Sleeps by time only: waits for the bell, and not for ports that reported frames without having
// any.
static void sleep_fds(struct idle_sleep *d, struct worker *w, long us)
{
	const bool fruitless = d->fruitless >= IDLE_SLEEP_FRUITLESS;
	const bool rings = everything_rings(d);
	const struct timespec t = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
	for (unsigned i = 0; i < d->fd_count; i++)
		d->fd[i].revents = 0;
	d->port_woke = false;
	int n = ppoll(d->fd, fruitless ? 1 : d->fd_count, &t, NULL);
	if (n > 0)
		look_at(d, w);
	d->timed_out = n == 0 && rings;
	// A signal that ends it early does no harm.
	stats_add(&w->stats->counter[n > 0 ? COUNTER_sleeps_woken : COUNTER_sleeps_timed], 1);
	if (d->port_woke)
		d->fruitless++;
}

static void answers_awake(struct worker *w, unsigned count)
{
	for (unsigned r = 0; r < count; r++)
		ring_awake(&w->answer[r]);
}

// True: no answers are there, and each resolver rings for its next one.
static bool answers_prepare_sleep(struct worker *w)
{
	for (unsigned r = 0; r < w->resolvers; r++) {
		if (!ring_prepare_sleep(&w->answer[r])) {
			answers_awake(w, r);
			return false;
		}
	}
	return true;
}

// Offline, so that no writer waits for a sleeping worker.
static void sleep_offline(struct idle_sleep *d, struct worker *w, long us)
{
	if (!answers_prepare_sleep(w))
		return;
	uint64_t began = clock_mono_us();
	if (unlikely_(d->missed >= IDLE_SLEEP_MISSED))
		atomic_store_explicit(&w->on_timer, 1, memory_order_relaxed);
	stats_add(&w->stats->counter[COUNTER_sleeps], 1);
	if (w->epoch.epoch)
		epoch_offline(&w->epoch);
	sleep_fds(d, w, us);
	if (w->epoch.epoch)
		epoch_online(&w->epoch);
	answers_awake(w, w->resolvers);
	stats_add(&w->stats->counter[COUNTER_sleep_us], clock_mono_us() - began);
}

// The link has brought other bells since this one fell silent.
static void bell_again(struct idle_sleep *d, const struct worker *w)
{
	if (w->bell > 0
		&& atomic_load_explicit(&w->bells_taken, memory_order_acquire) != d->bells_taken)
		d->fd[0].fd = w->bell;
}

bool idle_sleep_turn(struct idle_sleep *d, struct worker *w)
{
	if (unlikely_(d->fd[0].fd < 0))
		bell_again(d, w);
	bool ring = everything_rings(d);
	unsigned spins = ring ? IDLE_SLEEP_SPINS_BELL : IDLE_SLEEP_SPINS;
	d->timed_out = false;
	if (d->idle_turns < spins) {
		d->idle_turns++;
		idle_monitor_pause();
		return false;
	}
	if (needs_arming(d)) {
		// Earlier frames give no interrupt: poll once more.
		arm(d, true);
		return false;
	}
	long us = IDLE_SLEEP_BELL_MS * 1000;
	if (!ring) {
		us = IDLE_SLEEP_FIRST_US + (long)(d->idle_turns - spins) * IDLE_SLEEP_STEP_US;
		if (us < IDLE_SLEEP_MOST_US)
			d->idle_turns++;
		else
			us = IDLE_SLEEP_MOST_US;
	}
	sleep_offline(d, w, us);
	return true;
}
