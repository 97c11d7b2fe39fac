// SPDX-License-Identifier: BSD-3-Clause
// Eviction of workers whose heart has stopped while others beat: the writers of L0 no longer wait
// for such a worker (shm_epoch.h says why that is safe), old rule images are freed without it, and
// resolvers drop the answers for it. What it put on its miss ring is resolved, and what lies on its
// answer ring stays there for its return.
//
// Time is counted in beats of this loop, so that a pause of this process or of the machine is no
// worker's silence. When no worker beats, the data plane is stopped: nobody is served, and its
// workers would all return in the middle of a batch. Then none is evicted, and that time counts as
// no worker's silence.
#include "publish_internal.h"

#include <weir/fault.h>
#include <weir/log.h>

// One that has not mapped the word yet would not see it.
static bool may_be_evicted(const struct publisher *p, unsigned worker)
{
	const struct publisher_worker *w = &p->of_worker[worker];
	return w->evicted
	       && atomic_load_explicit(&p->rings[worker]->answers, memory_order_acquire)
			  == w->answers;
}

static bool is_silent(const struct publisher_worker *w)
{
	return w->still >= PUBLISH_EVICT_BEATS;
}

static void evict_as_next(struct publisher *p, unsigned worker)
{
	struct publisher_worker *w = &p->of_worker[worker];
	uint64_t number = atomic_load_explicit(w->evicted, memory_order_relaxed) + 1;

	number += number == 0; // `out` 0 is nobody's
	// In this order: a writer that sees `out` writes into memory only after the worker can
	// know.
	atomic_store_explicit(w->evicted, number, memory_order_relaxed);
	FAULT_POINT(worker_evicted_stored);
	atomic_store_explicit(&p->out[worker], number, memory_order_release);
	w->unreturned = 0;
}

static void evict(struct publisher *p, unsigned worker)
{
	evict_as_next(p, worker);
	p->evictions++;
	log_error("worker %u hangs: no heartbeat for %d ms; weir goes on without it: its clients "
		  "get no answers until it is back",
		worker, PUBLISH_EVICT_BEATS * PUBLISH_BEAT_MS);
}

// The words are in memory that the other process writes, and bits flip. `evicted` is written again;
// a worker that beats but has no right `returned` finds the next number, and returns once more.
static void words_heal(struct publisher *p, unsigned worker, uint64_t out, bool beats)
{
	struct publisher_worker *w = &p->of_worker[worker];

	atomic_store_explicit(w->evicted, out, memory_order_relaxed);
	w->unreturned += beats;
	if (w->unreturned >= PUBLISH_EVICT_BEATS)
		evict_as_next(p, worker);
}

static void look(struct publisher *p, unsigned worker)
{
	struct publisher_worker *w = &p->of_worker[worker];
	const struct rings_dp_page *page = p->rings[worker];
	uint64_t out = atomic_load_explicit(&p->out[worker], memory_order_relaxed);
	uint64_t beat = atomic_load_explicit(&page->heartbeat_ms, memory_order_relaxed);

	if (out && atomic_load_explicit(&page->returned, memory_order_acquire) == out) {
		atomic_store_explicit(&p->out[worker], 0, memory_order_release);
		log_info("worker %u is back", worker);
	} else if (out && w->evicted) {
		words_heal(p, worker, out, beat != w->beat_ms);
	}
	if (beat != w->beat_ms)
		w->still = 0;
	else if (beat != 0 && w->still < PUBLISH_EVICT_BEATS) // 0: before its first heartbeat
		w->still++;
	w->beat_ms = beat;
}

void publish_evict_beat(struct publisher *p, uint64_t now_ms)
{
	const bool paused = now_ms - p->evict_ms >= PUBLISH_HUNG_MS / 2;
	bool beats = false;

	p->evict_ms = now_ms;
	for (unsigned i = 0; i < p->worker_rings; i++) {
		look(p, i);
		if (paused)
			p->of_worker[i].still = 0;
		beats |= p->of_worker[i].beat_ms && p->of_worker[i].still < PUBLISH_EVICT_BEATS / 2;
	}
	// Else the first that beats after a stop would have all others evicted.
	for (unsigned i = 0; !beats && i < p->worker_rings; i++)
		p->of_worker[i].still = 0;
	for (unsigned i = 0; beats && i < p->worker_rings; i++)
		if (may_be_evicted(p, i) && is_silent(&p->of_worker[i]) && !publisher_is_out(p, i))
			evict(p, i);
}

void publisher_evicts(struct publisher *p, _Atomic uint64_t *const *evicted,
	const uint64_t *answers, unsigned count)
{
	pthread_mutex_lock(&p->lock);
	for (unsigned i = 0; i < SHM_WORKERS_MAX; i++)
		p->of_worker[i] = i < count ? (struct publisher_worker){.evicted = evicted[i],
					  .answers = answers[i]}
					    : (struct publisher_worker){0};
	pthread_mutex_unlock(&p->lock);
}

bool publisher_is_out(const struct publisher *p, unsigned worker)
{
	return atomic_load_explicit(&p->out[worker], memory_order_relaxed) != 0;
}

unsigned publish_workers_out(const struct publisher *p)
{
	unsigned out = 0;
	for (unsigned i = 0; i < p->worker_rings; i++)
		out += publisher_is_out(p, i);
	return out;
}
