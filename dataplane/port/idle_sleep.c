// SPDX-License-Identifier: BSD-3-Clause
#include "idle_sleep.h"

#include "idle_monitor.h"

#include <rte_ethdev.h>

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weir/bell.h>
#include <weir/clock.h>
#include <weir/log.h>

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

// Handles poll's result for each descriptor.
static void look_at(struct idle_sleep *d)
{
	if (d->fd[0].revents && !bell_clear(d->fd[0].fd)) {
		log_warning("worker: the control plane closed its wake-up socket; the worker polls "
			    "on a timer");
		d->fd[0].fd = -1;
		d->ports_ring = false;
	}
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

// Sleeps by time only: waits for the bell, and not for ports that reported frames without having
// any.
static void sleep_fds(struct idle_sleep *d, struct worker *w, long us)
{
	bool fruitless = d->fruitless >= IDLE_SLEEP_FRUITLESS;
	const struct timespec t = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
	for (unsigned i = 0; i < d->fd_count; i++)
		d->fd[i].revents = 0;
	d->port_woke = false;
	int n = ppoll(d->fd, fruitless ? 1 : d->fd_count, &t, NULL);
	if (n > 0)
		look_at(d);
	d->timed_out = n == 0 && d->ports_ring && !fruitless;
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

bool idle_sleep_turn(struct idle_sleep *d, struct worker *w)
{
	bool ring = d->ports_ring && d->fruitless < IDLE_SLEEP_FRUITLESS;
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
