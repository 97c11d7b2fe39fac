// SPDX-License-Identifier: BSD-3-Clause

// A worker's loop. At its beginning, where it holds no reference to any table, it reads what the
// main lcore has published and reports quiescence; then it makes one turn for each port. Without a
// frame it waits in the configured way: idle_sleep.h (adaptive, monitor), or not at all (busy).

#include "port/idle_sleep.h"
#include "prefault.h"
#include "stage/stages.h"

#include <rte_cycles.h>
#include <rte_pause.h>

#include <sys/prctl.h>
#include <unistd.h>
#include <weir/clock.h>

enum {
	BEAT_MS = 100,
	LATE_MS = 1,
	LONG_MS = 10,
	LAST_TURNS = 64,            // a full RX ring of 2,048 frames
	SLOW_PER_S = 10000,         // 100 us
	KERNEL_LOOKS_PER_S = 50000, // each 20 us
};

static void take_epoch(struct worker *w)
{
	const _Atomic uint64_t *epoch = atomic_load_explicit(&w->next_epoch, memory_order_acquire);
	if (likely_(epoch == w->epoch.epoch))
		return;
	if (w->epoch.epoch)
		epoch_offline(&w->epoch);
	w->epoch.epoch = epoch;
	if (epoch)
		epoch_online(&w->epoch);
	atomic_store_explicit(&w->epoch_in_use, epoch, memory_order_release);
}

// Called at each beat and with new settings, so that a watch ends even without a control plane. A
// deadline beyond the longest watch is invalid.
static void look_at_watch(struct worker *w)
{
	enum { MOST_MS = WATCH_SECONDS_MAX * 1000, CLOCKS_MS = 1000 }; // this clock ticks slowly
	const uint64_t until_ms = w->tables ? w->tables->config.watch.until_ms : 0;
	const bool watching = until_ms > w->now_ms && until_ms - w->now_ms <= MOST_MS + CLOCKS_MS;
	__atomic_store_n(&w->watching, watching, __ATOMIC_RELAXED); // the main lcore shows it
	if (watching)
		w->until_timed = 0;
}

// The caller holds no reference to a table.
ATTR_INLINE void take_eviction(struct worker *w)
{
	if (likely_(!epoch_is_evicted(&w->epoch)))
		return;
	epoch_return(&w->epoch);
	stats_add(&w->stats->counter[COUNTER_evictions], 1);
}

static void take_tables(struct worker *w)
{
	const struct worker_tables *t = atomic_load_explicit(&w->next_tables, memory_order_acquire);
	if (likely_(t == w->tables))
		return;
	w->tables = t;
	if (t->has_l0 && t->l0.resolvers > w->resolvers)
		w->resolvers = t->l0.resolvers;
	look_at_watch(w);
	if (w->log.owed)
		log_writer_set(&w->log, t->config.log_sample, clock_mono_us());
	atomic_store_explicit(&w->tables_in_use, t, memory_order_release);
}

ATTR_INLINE unsigned turn(struct worker *w, uint64_t tsc)
{
	unsigned frames = 0;
	bool crowded = false;
	for (unsigned p = 0; p < w->port_count; p++) {
		unsigned n = worker_turn(w, p);
		crowded |= n == WORKER_BATCH;
		frames += n;
	}
	frames += stage_exceptions(w, tsc);
	frames += stage_answer(w);
	return frames + stage_kernel(w, crowded);
}

// Waits after a turn without a frame.
static bool wait_idle(struct worker *w, struct idle_sleep *d, struct idle_monitor *p)
{
	if (w->poll == POLL_ADAPTIVE)
		return idle_sleep_turn(d, w);
	if (w->poll == POLL_MONITOR)
		idle_monitor_wait(p, w);
	else
		rte_pause();
	return false;
}

void worker_tell_pool(struct worker *w)
{
	uint64_t told = atomic_load_explicit(&w->pool_told, memory_order_relaxed);
	atomic_store_explicit(&w->pool_told,
		((told >> 32) + 1) << 32 | rte_mempool_in_use_count(w->pool), memory_order_release);
}

static void beat(struct worker *w, uint64_t *next_ms)
{
	if (likely_(w->now_ms < *next_ms))
		return;
	*next_ms = w->now_ms + BEAT_MS;
	atomic_store_explicit(&w->rings->heartbeat_ms, w->now_ms, memory_order_relaxed);
	atomic_store_explicit(&w->stats->heartbeat_ms, w->now_ms, memory_order_relaxed);
	w->log_clock = log_clock_at(clock_mono_us(), rte_rdtsc(), rte_get_tsc_hz());
	look_at_watch(w);
	if (w->pool) // NULL: without an EAL
		worker_tell_pool(w);
	if (log_writer_is_on(&w->log))
		log_writer_beat(&w->log, w->log_clock.us);
}

// A turn takes microseconds. After more than a millisecond the machine has probably run something
// else on this core.
static void count_late_turn(struct worker *w, uint64_t cycles, uint64_t hz)
{
	stats_add(&w->stats->counter[COUNTER_turns_late], 1);
	if (cycles <= hz / 1000 * LONG_MS)
		return;
	stats_add(&w->stats->counter[COUNTER_turns_long], 1);
	stats_add(&w->stats->counter[COUNTER_turns_long_us], cycles * 1000 / (hz / 1000));
}

// Frames wait in their queues until the main lcore has given the worker the tables in shared
// memory; a worker without tables would answer SERVFAIL.
static void hold(struct worker *w)
{
	while (atomic_load_explicit(&w->hold, memory_order_acquire)
		&& !atomic_load_explicit(&w->stop, memory_order_acquire)) {
		take_epoch(w);
		take_tables(w);
		if (w->epoch.epoch)
			epoch_quiescent(&w->epoch);
		rte_pause();
	}
}

int worker_main(void *arg)
{
	struct worker *w = arg;
	struct idle_sleep idle = {0};
	struct idle_monitor monitor = {0};
	uint64_t next_beat_ms = 0;
	const uint64_t hz = rte_get_tsc_hz(); // 0 without an EAL
	const uint64_t late_cycles = hz ? hz / 1000 * LATE_MS : UINT64_MAX;
	prefault_stack();
	w->slow_cycles = hz / SLOW_PER_S;
	w->kernel_look_cycles = hz / KERNEL_LOOKS_PER_S;
	w->ns_shifted = hz ? (UINT64_C(1000000000) << CYCLES_SHIFT) / hz : 0;
	// The default slack of 50 us would double the shortest sleep.
	(void)prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0);
	if (w->poll == POLL_ADAPTIVE)
		idle_sleep_init(&idle, w);
	if (w->poll == POLL_MONITOR)
		idle_monitor_init(&monitor, w);
	atomic_store_explicit(&w->stats->lcore, w->lcore, memory_order_relaxed);
	atomic_store_explicit(&w->stats->online, 1, memory_order_relaxed);

	hold(w);
	uint64_t began = rte_rdtsc();
	while (!atomic_load_explicit(&w->stop, memory_order_acquire)) {
		uint64_t now = rte_rdtsc();
		if (unlikely_(now - began > late_cycles))
			count_late_turn(w, now - began, hz);
		began = now;
		take_epoch(w);
		take_tables(w);
		take_eviction(w);
		if (w->epoch.epoch)
			epoch_quiescent(&w->epoch);
		w->now_ms = worker_clock_ms(w);
		beat(w, &next_beat_ms);
		if (turn(w, now) > 0) {
			idle_sleep_busy(&idle);
		} else if (wait_idle(w, &idle, &monitor)) {
			began = rte_rdtsc(); // a sleep is no turn
			// An exception port may have ended the sleep: read it in the next turn.
			w->kernel_looked_tsc = began - w->kernel_look_cycles;
		}
	}

	// Answers the frames in the queues, which the next run would not get. A worker that was
	// stopped on hold may have no tables to answer from.
	for (unsigned turns = 0; turns < LAST_TURNS && w->tables; turns++)
		if (turn(w, rte_rdtsc()) == 0)
			break;
	while (stage_kernel(w, false)) // EXCEPTION_WAITING at most
		continue;
	w->tables = NULL;
	if (w->log.owed)
		(void)log_writer_rest(&w->log, clock_mono_us());
	if (w->epoch.epoch)
		epoch_offline(&w->epoch);
	atomic_store_explicit(
		&w->stats->online, 0, memory_order_release); // the main lcore owns the worker again
	return 0;
}
