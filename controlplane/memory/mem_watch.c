// SPDX-License-Identifier: BSD-3-Clause
#include "mem_watch.h"

#include "base/loop.h"
#include "base/wheel.h"
#include "heap.h"
#include "process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/log.h>

struct high {
	const char *name; // of the registry, a constant
	uint64_t used;
};

struct mem_watch {
	struct loop *service;
	struct wheel_timer timer;
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
static void reading_end(struct mem_watch *w, struct mem_reading *r)
{
	struct heap_stats heap;
	heap_read(&heap);
	// What threads keep for their next allocations counts as handed out in jemalloc.
	r->process.allocated =
		heap.allocated - (heap.threads_cached < heap.allocated ? heap.threads_cached : 0);
	r->process.held = heap.resident;
	r->all = mem_accounts(r->account);
	r->unexplained = mem_unexplained(&r->process, &r->all);
	alarm_set(w, r);
	r->unexplained_max = w->unexplained_max;
	r->alarms = w->alarms;
	r->alarming = w->alarming;
	w->last = *r;
}

int mem_watch_read(struct mem_watch *w, struct mem_reading *out)
{
	struct mem_reading r = {0};
	int rc = mem_process_read(&r.process);
	if (rc < 0)
		return rc;
	reading_end(w, &r);
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

static void on_timer(void *arg)
{
	struct mem_watch *w = arg;
	struct mem_reading r = {0};
	uint64_t anonymous;

	// Not page by page, which for a large cache holds this loop for long.
	process_memory(&r.process.rss, &anonymous);
	if (r.process.rss > 0)
		reading_end(w, &r);
	timer_start(w);
}

int mem_watch_open(struct mem_watch **out, struct loop *service)
{
	struct mem_watch *w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->service = service;
	w->timer.fn = on_timer;
	w->timer.arg = w;
	timer_start(w);
	*out = w;
	return 0;
}

void mem_watch_close(struct mem_watch *w)
{
	if (!w)
		return;
	wheel_stop(&w->timer);
	free(w);
}
