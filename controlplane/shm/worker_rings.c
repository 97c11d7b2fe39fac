// SPDX-License-Identifier: BSD-3-Clause
#include "querylog/querylog.h"
#include "worker_rings_internal.h"

#include <errno.h>
#include <stdio.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>

int worker_rings_new(struct worker_rings **out, struct loop *loop, struct publisher *publisher,
	struct l0_writer *l0, unsigned resolver)
{
	struct worker_rings *l = heap_calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->loop = loop;
	l->publisher = publisher;
	l->l0 = l0;
	l->resolver = resolver;
	rings_watch_loop(l);
	*out = l;
	return 0;
}

void worker_rings_serve(struct worker_rings *l, worker_rings_miss_fn miss, void *arg)
{
	l->miss = miss;
	l->arg = arg;
}

void worker_rings_hear(struct worker_rings *l, worker_rings_heard_fn heard, void *arg)
{
	l->heard = heard;
	l->heard_arg = arg;
}

void worker_rings_on_marks(struct worker_rings *l, worker_rings_marks_fn marked, void *arg)
{
	l->marked = marked;
	l->marked_arg = arg;
}

uint64_t worker_rings_live(const struct worker_rings *l, uint64_t now_ms, unsigned dead_ms)
{
	uint64_t live = 0;

	for (unsigned i = 0; i < l->count; i++) {
		const struct rings *rings = &l->rings[i];
		const struct rings_dp_page *page =
			rings_dp(l->resolver ? &rings->first : &rings->region);
		const uint64_t beat_ms =
			atomic_load_explicit(&page->heartbeat_ms, memory_order_relaxed);
		// Clocks are read at different places, so a heartbeat may lie ahead.
		if (rings->region.base && now_ms < beat_ms + dead_ms
			&& atomic_load_explicit(&page->activated_hops, memory_order_relaxed))
			live |= UINT64_C(1) << i;
	}
	return live;
}

void worker_rings_set_log(struct worker_rings *l, struct querylog *q)
{
	l->log = q;
}

enum { MISSING_TOLD_BEATS = 10 };

// Rings that are still not there, or not of use, after the workers have activated the cache. Once.
static void missing_tell(struct worker_rings *l, unsigned worker, const char *why)
{
	if (!rings_activated(l) || ++l->missing_beats != MISSING_TOLD_BEATS)
		return;
	l->anomalies_before++;
	log_error("resolver %u: no rings of worker %u: %s; names of this resolver are not cached "
		  "or not answered; weir tries again",
		l->resolver, worker, why);
}

// What the data plane makes only once it has activated a cache: marks, and the rings of all
// resolvers but the first.
static void attach_missing(struct worker_rings *l)
{
	char why[SHM_WHY_MAX];
	bool is_told = false, is_marked = false;
	const uint64_t end_us = clock_mono_us() + RINGS_MARKS_US;

	if (!l->missing)
		return;
	l->missing = false;
	for (unsigned i = 0; i < l->count; i++) {
		struct rings *rings = &l->rings[i];
		if (!rings->region.base && rings_map_own(rings, l->incarnation, why) < 0) {
			l->missing = true;
			if (!is_told)
				missing_tell(l, i, why);
			is_told = true;
		}
		if (rings->marks.base)
			continue;
		if (clock_mono_us() < end_us && rings_map_marks(rings))
			is_marked = true;
		else
			l->missing = true;
	}
	if (is_marked && l->marked)
		l->marked(l->marked_arg);
}

static int attach_all(struct worker_rings *l, const struct link_hello *hello, const int *bells,
	int gong, char why[SHM_WHY_MAX])
{
	for (unsigned i = 0; i < hello->workers; i++) {
		l->rings[i] = (struct rings){.owner = l, .index = i, .bell_fd = bells[i]};
		int rc = rings_map(&l->rings[i], hello->dp_incarnation, why);
		if (rc < 0)
			return rc;
	}
	int rc = rings_listen(l, gong);
	if (rc < 0)
		snprintf(why, SHM_WHY_MAX, "no memory for the events of the worker rings");
	return rc;
}

// The first resolver's rings have the word that tells a worker.
static void let_evict(const struct worker_rings *l)
{
	_Atomic uint64_t *evicted[SHM_WORKERS_MAX];
	uint64_t answers[SHM_WORKERS_MAX];

	for (unsigned i = 0; i < l->count; i++) {
		evicted[i] = &rings_cp(&l->rings[i].answers)->evicted;
		answers[i] = region_header_of(&l->rings[i].answers)->incarnation;
	}
	publisher_evicts(l->publisher, evicted, answers, l->count);
}

int worker_rings_attach(struct worker_rings *l, const struct link_hello *hello, const int *bells,
	int gong, char why[SHM_WHY_MAX])
{
	const struct rings_dp_page *pages[SHM_WORKERS_MAX];

	worker_rings_detach(l);
	int rc = attach_all(l, hello, bells, gong, why);
	if (rc < 0) {
		rings_deafen(l);
		for (unsigned i = 0; i < hello->workers; i++)
			rings_unmap(&l->rings[i]);
		return rc;
	}
	l->count = hello->workers;
	l->incarnation = hello->dp_incarnation;
	for (unsigned i = 0; i < l->count; i++)
		pages[i] = rings_dp(l->resolver ? &l->rings[i].first : &l->rings[i].region);
	publisher_rings(l->publisher, l->resolver, l->incarnation, pages, l->count);
	if (l->resolver == 0) {
		let_evict(l);
		rings_sweep(l, l->count, SHM_RESOLVERS_MAX);
	}
	l->missing = true;
	l->missing_beats = 0;
	attach_missing(l);
	l->left = l->resolver == 0 && !rings_left_take(l);
	for (unsigned i = 0; l->resolver == 0 && i < l->count; i++)
		if (rings_map_log(&l->rings[i], why) < 0)
			log_warning("queries of a worker not logged: %s", why);
	return 0;
}

void worker_rings_beat(struct worker_rings *l)
{
	attach_missing(l);
	rings_release_marks(l, false);
	if (l->left && rings_left_take(l)) {
		l->left = false;
		rings_sweep(l, l->count, publisher_resolvers(l->publisher));
	}
	rings_drain_all(l);
}

void worker_rings_detach(struct worker_rings *l)
{
	if (l->count == 0)
		return;
	publisher_no_rings(l->publisher, l->resolver);
	if (l->log)
		querylog_end_rings(l->log);
	rings_deafen(l);
	for (unsigned i = 0; i < l->count; i++) {
		l->anomalies_before +=
			l->rings[i].misses.anomalies + l->rings[i].answer_ring.anomalies;
		rings_end_marks(&l->rings[i]);
		rings_unmap(&l->rings[i]);
	}
	l->count = 0;
	l->incarnation = 0;
	l->missing = l->left = false;
}

void worker_rings_free(struct worker_rings *l)
{
	if (!l)
		return;
	worker_rings_detach(l);
	rings_release_marks(l, true);
	loop_set_watch(l->loop, &(struct loop_watch){0});
	heap_free(l);
}

unsigned worker_rings_count(const struct worker_rings *l)
{
	return l->count;
}

uint64_t worker_rings_incarnation(const struct worker_rings *l)
{
	return l->incarnation;
}

void worker_rings_stats(const struct worker_rings *l, struct worker_rings_stats *out)
{
	*out = l->stats;
	out->ring_anomalies = l->anomalies_before;
	for (unsigned i = 0; i < l->count; i++)
		out->ring_anomalies +=
			l->rings[i].misses.anomalies + l->rings[i].answer_ring.anomalies;
}
