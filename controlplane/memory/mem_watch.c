// SPDX-License-Identifier: BSD-3-Clause
#include "mem_watch.h"

#include "base/loop.h"
#include "base/wheel.h"
#include "heap.h"
#include "process.h"

#include <errno.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>

// From the end of a look to the next: 9 s for one of 90 steps, so that all take 0.3 % of a CPU.
enum { STEP_MS = 4, LOOK_PAUSE_MS = 4000, LOOK_PAUSE_STEP_MS = 60 };

struct high {
	const char *name; // the registry's, a constant
	uint64_t used;
};

struct mem_watch {
	struct loop *service;
	struct wheel_timer timer, step;
	struct mem_look look;
	struct mem_kinds kinds;
	uint64_t looks, steps, held; // looks that ended; of the one in progress
	uint64_t next_look_ms;
	uint64_t unexplained_max, alarms;
	bool alarming;
	struct mem_reading last;
	unsigned count;
	struct high high[TABLES_MAX];
};

static struct high *high_of(struct mem_watch *w, const char *name)
{
	for (unsigned i = 0; i < w->count; i++)
		if (strcmp(w->high[i].name, name) == 0)
			return &w->high[i];
	if (w->count == TABLES_MAX)
		return NULL;
	w->high[w->count] = (struct high){.name = name};
	return &w->high[w->count++];
}

static void alarm_set(struct mem_watch *w, const struct mem_reading *r)
{
	bool alarming = mem_is_alarming(&r->process, r->unexplained);
	if (r->unexplained > w->unexplained_max)
		w->unexplained_max = r->unexplained;
	if (alarming == w->alarming)
		return;
	w->alarming = alarming;
	w->alarms += alarming;
	if (alarming)
		log_warning("memory: %llu KiB allocated are unaccounted, of %llu KiB resident",
			(unsigned long long)r->unexplained >> 10,
			(unsigned long long)r->process.rss >> 10);
	else
		log_info("unaccounted memory back under the threshold");
}

// `r` already has the process' resident set.
static void reading_end(struct mem_watch *w, struct mem_reading *r, struct heap_stats *heap)
{
	heap_read(heap);
	// What threads keep for their next allocations counts as handed out in jemalloc.
	r->process.allocated =
		heap->allocated
		- (heap->threads_cached < heap->allocated ? heap->threads_cached : 0);
	r->process.held = heap->resident;
	r->all = mem_accounts(r->account);
	r->unexplained = mem_unexplained(&r->process, &r->all);
	alarm_set(w, r);
	r->unexplained_max = w->unexplained_max;
	r->alarms = w->alarms;
	r->alarming = w->alarming;
	w->last = *r;
}

static uint64_t above(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

// The part of `bytes` that is `left`, which shrinks by it.
static uint64_t taken_of(uint64_t *left, uint64_t bytes)
{
	uint64_t taken = bytes < *left ? bytes : *left;
	*left -= taken;
	return taken;
}

static void resident_make(struct mem_reading *r, const struct heap_stats *h)
{
	const struct mem_process *p = &r->process;
	struct mem_resident m = {
		.accounts = above(r->all.bytes, mem_untouched(r->account)),
		.regions = p->rss_regions,
		.code = p->rss_code,
		.stacks = p->rss_stacks,
		.other = p->rss_other,
	};
	uint64_t left = above(p->rss_heap, m.accounts);
	m.caches = taken_of(&left, h->threads_cached);
	m.slack = taken_of(&left, above(h->active, h->allocated + h->profiler));
	m.allocator = taken_of(
		&left, above(h->resident, h->active + h->metadata) + h->metadata + h->profiler);
	m.explained = m.accounts + m.caches + m.slack + m.allocator + m.regions + m.code + m.stacks
		      + m.other;
	r->resident = m;
}

int mem_watch_read(struct mem_watch *w, struct mem_reading *out)
{
	struct mem_reading r = {0};
	int rc = mem_process_read(&r.process);
	if (rc < 0)
		return rc;
	struct heap_stats heap;
	reading_end(w, &r, &heap);
	resident_make(&r, &heap);
	*out = r;
	return 0;
}

const struct mem_reading *mem_watch_last(const struct mem_watch *w)
{
	return &w->last;
}

static void timer_start(struct mem_watch *w)
{
	wheel_start(loop_wheel(w->service), &w->timer, MEM_WATCH_MS, clock_mono_ms());
}

const struct mem_kinds *mem_watch_kinds(const struct mem_watch *w)
{
	return w->looks ? &w->kinds : NULL;
}

static void kinds_failed(int rc)
{
	log_warning(
		"memory: /proc/self: %s; mappings and descriptors are not counted", strerror(-rc));
}

static void look_step(struct mem_watch *w)
{
	int rc = mem_look_step(&w->look, &w->kinds);
	const uint64_t now_ms = clock_mono_ms();
	w->steps++;
	if (rc == 0) {
		wheel_start(loop_wheel(w->service), &w->step, STEP_MS, now_ms);
		return;
	}
	w->next_look_ms = now_ms + LOOK_PAUSE_MS + LOOK_PAUSE_STEP_MS * w->steps;
	if (rc < 0) {
		kinds_failed(rc);
		return;
	}
	w->kinds.looks = ++w->looks;
	w->kinds.held = w->held;
}

static void on_step(void *arg)
{
	look_step(arg);
}

static void look_begin(struct mem_watch *w, const struct table_registry *tables)
{
	if (w->look.stage != MEM_LOOK_IDLE || clock_mono_ms() < w->next_look_ms)
		return;
	int rc = mem_look_begin(&w->look);
	if (rc < 0) {
		w->next_look_ms = clock_mono_ms() + LOOK_PAUSE_MS;
		kinds_failed(rc);
		return;
	}
	w->steps = w->held = 0;
	for (unsigned i = 0; i < tables->count; i++)
		w->held += tables->table[i].descriptors;
	look_step(w);
}

void mem_watch_see(struct mem_watch *w, struct table_registry *tables)
{
	for (unsigned i = 0; i < tables->count; i++) {
		struct table_info *t = &tables->table[i];
		struct high *h = high_of(w, t->name);
		if (!h)
			continue;
		if (h->used < t->used)
			h->used = t->used;
		if (t->high < h->used)
			t->high = h->used;
	}
	look_begin(w, tables);
}

static void on_timer(void *arg)
{
	struct mem_watch *w = arg;
	struct mem_reading r = {0};
	struct heap_stats heap;
	uint64_t anonymous;

	// Not page by page, which for a large cache holds this loop for long.
	process_memory(&r.process.rss, &anonymous);
	if (r.process.rss > 0)
		reading_end(w, &r, &heap);
	timer_start(w);
}

int mem_watch_open(struct mem_watch **out, struct loop *service)
{
	struct mem_watch *w = heap_calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->service = service;
	w->timer.fn = on_timer;
	w->timer.arg = w;
	w->step.fn = on_step;
	w->step.arg = w;
	timer_start(w);
	*out = w;
	return 0;
}

void mem_watch_close(struct mem_watch *w)
{
	if (!w)
		return;
	wheel_stop(&w->timer);
	wheel_stop(&w->step);
	mem_look_end(&w->look);
	heap_free(w);
}
