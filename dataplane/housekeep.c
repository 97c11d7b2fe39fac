// SPDX-License-Identifier: BSD-3-Clause

#include "housekeep.h"

#include <rte_ethdev.h>

#include <time.h>
#include <weir/clock.h>
#include <weir/log.h>
#include <weir/os/sd_notify.h>

static uint64_t verdicts_of(const struct worker *w)
{
	uint64_t sum = 0;
	for (unsigned v = 0; v < VERDICT_COUNT; v++)
		sum += atomic_load_explicit(&w->stats->verdict[v], memory_order_relaxed);
	return sum;
}

// After a suspend the workers get the new time with the next round. The control plane needs as long
// as this loop for its next heartbeat.
static void watch_clock(struct housekeep *h, uint64_t now_ms)
{
	uint64_t suspended_ms = clock_suspended_ms(h->suspended_ms);
	if (suspended_ms == h->suspended_ms)
		return;
	h->check_from_ms = now_ms + CONTROL_HUNG_MS;
	h->suspended_ms = suspended_ms;
	for (unsigned i = 0; i < h->worker_count; i++)
		atomic_store_explicit(
			&h->workers[i]->suspended_ms, suspended_ms, memory_order_relaxed);
}

void housekeep_init(struct housekeep *h, uint64_t now_ms)
{
	housekeep_buffers_start(h);
	h->alive = false;
	watch_clock(h, now_ms);
	h->next_beat_ms = now_ms;
	h->next_report_ms = now_ms + HOUSEKEEP_REPORT_MS;
	h->next_memory_ms = now_ms + HOUSEKEEP_MEMORY_MS;
	housekeep_memory_start(&h->stats->memory);
	housekeep_sites_write(&h->stats->sites);
	housekeep_kinds_begin(&h->look);
	// The ports' state, before a control plane may report readiness.
	for (unsigned i = 0; i < h->ports->count; i++)
		port_stats(&h->ports->port[i], &h->stats->port[i]);
	table_report_write(h, now_ms); // or they would have no caps for the first second
}

// Sums of the frames that client ports report as received, and of the workers' verdicts.
static void totals(const struct housekeep *h, uint64_t *received, uint64_t *verdicts)
{
	*received = *verdicts = 0;
	for (unsigned i = 0; i < h->ports->client_count; i++)
		*received +=
			atomic_load_explicit(&h->stats->port[i].ipackets, memory_order_relaxed);
	for (unsigned i = 0; i < h->worker_count; i++)
		*verdicts += verdicts_of(h->workers[i]);
}

// `quiet`: no worker moved a frame during the last window, and each came round in it. Else the two
// are read at different instants of a moving stream and their difference means nothing.
static void reconcile(struct housekeep *h, bool quiet)
{
	if (!quiet)
		return;
	uint64_t received, verdicts;
	totals(h, &received, &verdicts);
	uint64_t gap = received > verdicts ? received - verdicts : verdicts - received;
	atomic_store_explicit(&h->stats->verdict_gap, gap, memory_order_relaxed);
	if (gap != h->gap_told)
		log_error("%llu frames received, %llu verdicts", (unsigned long long)received,
			(unsigned long long)verdicts);
	h->gap_told = gap;
}

static void watch_drops(struct housekeep *h, uint64_t now_ms)
{
	struct drops *d = &h->drops;
	drops_expire(d, now_ms);
	drops_take(d, activate_directory(&h->activate), now_ms);
	atomic_store_explicit(&h->stats->drops_in_force, d->count, memory_order_relaxed);
	atomic_store_explicit(&h->stats->drops_partial, drops_partial(d), memory_order_relaxed);
	atomic_store_explicit(&h->stats->drops_refused, d->refused, memory_order_relaxed);
	atomic_store_explicit(&h->stats->drops_full, d->full, memory_order_relaxed);
}

static void watch_steering(struct housekeep *h)
{
	if (!h->steering)
		return;
	steering_report(h->steering, h->stats);
	const int gone = steering_gone(h->steering);
	if (gone >= 0)
		port_gone_report(&h->ports->port[gone].gone, PORT_GONE_REMOVED);
}

static void report(struct housekeep *h, uint64_t now_ms)
{
	bool quiet = true;
	for (unsigned i = 0; i < h->worker_count; i++) {
		quiet &= housekeep_buffers_quiet(&h->worker[i]);
		if (atomic_load_explicit(&h->workers[i]->on_timer, memory_order_relaxed))
			ports_on_timer(h->ports);
	}
	for (unsigned i = 0; i < h->ports->count; i++)
		port_stats(&h->ports->port[i], &h->stats->port[i]);
	// A frame that came between the last sample and the ports' statistics.
	for (unsigned i = 0; i < h->worker_count; i++)
		quiet &= housekeep_frames_moved(h->workers[i]) == h->worker[i].moved;
	watch_steering(h);
	reconcile(h, quiet);
	housekeep_buffers_check(h, now_ms);
	table_report_write(h, now_ms);
	recent_errors_report(&h->stats->errors, &h->errors_seen);
	if (h->lock)
		shm_keep(&h->activate.src.paths, "dataplane.lock", h->lock);
	const uint64_t lost = log_out_lost();
	atomic_store_explicit(&h->stats->log_lost, lost < UINT32_MAX ? (uint32_t)lost : UINT32_MAX,
		memory_order_relaxed);
	worker_rings_check(h->worker_rings, &h->activate.src.paths);
	activate_check(&h->activate);
}

static void watch_control(struct housekeep *h, uint64_t now_ms)
{
	enum link_event event = link_poll(&h->link, now_ms);
	if (event == LINK_CAME_UP)
		worker_rings_link(h->worker_rings, &h->activate.src.paths);
	worker_rings_look(h->worker_rings, &h->activate.src.paths, now_ms);
	if (event != LINK_NOTHING)
		activate_link(&h->activate, event == LINK_CAME_UP);
	activate_poll(&h->activate, now_ms);

	bool is_old = activate_heartbeat_age_ms(&h->activate, now_ms) > CONTROL_HUNG_MS;
	bool alive = h->link.up && (!is_old || (h->alive && now_ms < h->check_from_ms));
	if (alive != h->alive) {
		h->alive = alive;
		if (h->link.up && !alive)
			log_warning(
				"the control plane hangs: no heartbeat for %d ms", CONTROL_HUNG_MS);
		else if (alive && h->hung)
			log_info("the control plane is back");
		h->hung = h->link.up && !alive;
		sd_notify_send("STATUS=serving%s",
			alive ? "" : "; no control plane: from the cache alone");
		for (unsigned i = 0; i < h->worker_count; i++)
			atomic_store_explicit(
				&h->workers[i]->control_alive, alive, memory_order_relaxed);
	}
	atomic_store_explicit(&h->stats->control_seen, h->link.up, memory_order_relaxed);
}

// The watchdog of the unit hears from this process only while each worker comes round: one that
// sleeps does so each 100 ms.
static void watch_turns(struct housekeep *h, uint64_t now_ms)
{
	if (!sd_notify_wants_alive(now_ms))
		return;
	for (unsigned i = 0; i < h->worker_count; i++) {
		const uint64_t beat = atomic_load_explicit(
			&h->workers[i]->stats->heartbeat_ms, memory_order_relaxed);
		if (beat <= h->alive_ms)
			return;
	}
	h->alive_ms = now_ms;
	sd_notify_alive(now_ms);
}

static void watch_limits(struct housekeep *h, uint64_t now_ms)
{
	const struct tables_set *set = h->activate.current;
	if (!set || !set->t.has_access)
		return;
	limiter_look(h->limiter, &set->t.policy.limit, now_ms);
	atomic_store_explicit(
		&h->stats->limit_empty, limiter_empty(h->limiter), memory_order_relaxed);
}

void housekeep_turn(struct housekeep *h, uint64_t now_ms)
{
	watch_clock(h, now_ms);
	watch_control(h, now_ms);
	watch_limits(h, now_ms);
	if (now_ms >= h->next_beat_ms) {
		h->next_beat_ms = now_ms + HOUSEKEEP_BEAT_MS;
		atomic_store_explicit(&h->stats->heartbeat_ms, now_ms, memory_order_relaxed);
		housekeep_buffers_sample(h);
		table_report_look(h);
		if (h->steering)
			steering_beat(h->steering, h->stats, h->workers, h->worker_count, now_ms);
		watch_drops(h, now_ms);
		watch_turns(h, now_ms);
	}
	for (unsigned i = 0; i < h->ports->count; i++) {
		struct port *port = &h->ports->port[i];
		if (port_link_has_event(&port->link))
			(void)port_link_look(&port->link, port->id, port->name, &h->stats->port[i]);
	}
	if (now_ms >= h->next_report_ms) {
		h->next_report_ms = now_ms + HOUSEKEEP_REPORT_MS;
		report(h, now_ms);
	}
	if (now_ms >= h->next_memory_ms) {
		h->next_memory_ms = now_ms + HOUSEKEEP_MEMORY_MS;
		housekeep_memory_look(&h->stats->memory);
		housekeep_sites_write(&h->stats->sites);
	}
	if (now_ms >= h->next_kinds_ms) {
		h->next_kinds_ms = now_ms + HOUSEKEEP_KINDS_MS;
		housekeep_kinds_begin(&h->look);
	}
	housekeep_kinds_step(&h->look, &h->stats->kinds);
}

void housekeep_start(struct housekeep *h)
{
	const struct timespec step = {.tv_nsec = 50000};
	uint64_t now_ms = clock_mono_ms();
	const uint64_t until_ms = now_ms + HOUSEKEEP_START_MS;
	do {
		activate_poll(&h->activate, now_ms);
		(void)nanosleep(&step, NULL);
		now_ms = clock_mono_ms();
	} while (!activate_is_settled(&h->activate) && now_ms < until_ms);
	for (unsigned i = 0; i < h->worker_count; i++)
		atomic_store_explicit(&h->workers[i]->hold, 0, memory_order_release);
}

void housekeep_run(struct housekeep *h, const _Atomic int *stop)
{
	while (!atomic_load_explicit(stop, memory_order_acquire) && !ports_gone(h->ports)) {
		uint64_t now_ms = clock_mono_ms();
		housekeep_turn(h, now_ms);
		// Signals of the TAP driver (one per frame that finds it idle) cut a sleep short;
		// they must not make us turn faster.
		const struct timespec until = clock_deadline(HOUSEKEEP_TURN_MS);
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0) {
			if (atomic_load_explicit(stop, memory_order_acquire))
				return;
		}
	}
}
