// SPDX-License-Identifier: BSD-3-Clause
// Samples of the slope meter: each second the memory of the process, its heap, its subsystems and
// its tables.

#include "app_events.h"
#include "app_versions.h"
#include "memory/heap.h"
#include "memory/memory_meter.h"
#include "memory/memory_sample.h"
#include "memory/process.h"

#include <event2/event.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>
#include <weir/mem_account.h>
#include <weir/shm_region.h>
#include <weir/stats_read.h>

enum { REGION_LOOKS = 32 }; // looks that are kept, five seconds apart

struct regions { // mapped bytes of each kind of region, at the last looks
	uint64_t looks, bytes[REGION_LOOKS][REGION_KINDS];
	unsigned grower; // the kind that grew most since the oldest look; REGION_NONE: no kind grew
};

struct app_memory {
	struct app *app;
	struct event *timer;
	uint64_t start_ms;
	bool asks; // asked the loops, which have not replied yet
	struct frontends_status frontends;
	struct memory_sample sample;
	struct stats_copy stats;        // statistics of the data plane
	uint64_t queries, logged, seen; // counted in all; last read from the log, from the workers
	uint64_t looks;                 // number of the last count of mappings and descriptors
	struct regions regions;
	struct memory_line line;
};

static uint64_t more(uint64_t now, uint64_t *before)
{
	uint64_t grown = now > *before ? now - *before : 0;
	*before = now;
	return grown;
}

// Counts queries of clients of workers and frontends, by the query log; if the log counts none, by
// the workers.
static uint64_t queries_count(struct app_memory *m)
{
	struct querylog_status log = {0};
	uint64_t seen = 0;
	if (m->app->log)
		querylog_status(m->app->log, &log);
	for (unsigned v = 0; v < VERDICT_to_kernel; v++)
		seen += m->stats.verdict[v];
	uint64_t logged = more(log.weight + log.unlogged + log.excluded_weight, &m->logged);
	seen = more(seen, &m->seen);
	m->queries += logged ? logged : seen;
	return m->queries;
}

// Adds the bytes that each subsystem has allocated and not freed.
static void accounts_take(struct memory_sample *m, const struct heap_stats *heap)
{
	struct mem_sum by[MEM_ACCOUNT_COUNT];
	const struct mem_process p = {.allocated = heap->allocated > heap->threads_cached
							   ? heap->allocated - heap->threads_cached
							   : 0};
	const struct mem_sum all = mem_accounts(by);
	memory_sample_bytes(m, "unexplained", mem_unexplained(&p, &all));
	for (unsigned i = 0; i < MEM_ACCOUNT_COUNT; i++)
		memory_sample_bytes(m, mem_account_names[i], by[i].bytes);
}

static void fills_take(struct memory_sample *m, const struct table_registry *tables)
{
	for (unsigned i = 0; i < tables->count; i++) {
		const struct table_info *t = &tables->table[i];
		memory_sample_table(m, t);
	}
}

static void regions_take(struct regions *r, const struct mem_kinds *k)
{
	const uint64_t oldest = r->looks < REGION_LOOKS ? 0 : r->looks % REGION_LOOKS;
	const uint64_t *before = r->looks ? r->bytes[oldest] : k->regions;
	uint64_t gain = 0;
	r->grower = REGION_NONE;
	for (unsigned i = 0; i < REGION_KINDS; i++)
		if (k->regions[i] > before[i] + gain) {
			gain = k->regions[i] - before[i];
			r->grower = i;
		}
	memcpy(r->bytes[r->looks++ % REGION_LOOKS], k->regions, sizeof(k->regions));
}

static void kinds_take(struct app_memory *m, uint64_t allocator)
{
	const struct mem_kinds *k = api_kinds(m->app->api);
	if (!k)
		return;
	if (k->looks != m->looks) {
		m->looks = k->looks;
		regions_take(&m->regions, k);
	}
	m->sample.descriptors = k->held;
	memory_sample_kinds(&m->sample, "", k, allocator);
	if (m->regions.grower != REGION_NONE)
		memory_sample_by(&m->sample, MEMORY_BYTES, "mappings regions",
			region_kind_names[m->regions.grower]);
}

static unsigned other_end(uint32_t told)
{
	return told == STATS_STOPPED  ? OTHER_STOPPED
	       : told == STATS_FAILED ? OTHER_FAILED
	       : told == STATS_FELL   ? OTHER_FELL
				      : OTHER_UNKNOWN;
}

// Adds the memory of the data plane: the kernel's figures, without huge pages, which the data plane
// allocates at its start, and its own accounts.
//
// A data plane that starts holds the lock before it has statistics. Statistics that exist then
// belong to the previous run, which has reported its end, or whose process is gone.
static void dataplane_take(struct app_memory *m)
{
	const struct shm_paths *paths = publisher_paths(m->app->publisher);
	struct stats_copy *s = &m->stats;
	struct memory_other other = {0};
	char why[SHM_WHY_MAX];
	uint64_t anonymous = 0;
	if (paths && stats_read(paths, s, why) == 0) {
		enum process_state state = dataplane_state(paths, s);
		other = (struct memory_other){
			.is_there = s->ended == STATS_UNTOLD
				    && (state == PROCESS_UP || state == PROCESS_HUNG),
			.id = s->incarnation,
			.ended = other_end(s->former_end),
			.ended_id = s->former_incarnation,
			.uptime_ms = s->taken_ms > s->start_ms ? s->taken_ms - s->start_ms : 0};
		for (unsigned v = 0; v < VERDICT_COUNT; v++)
			other.queries += s->verdict[v];
		if (other.is_there)
			process_memory_of((pid_t)s->pid, &other.rss, &anonymous);
		if (state == PROCESS_HUNG && other.rss == 0)
			other.is_there = false;
	}
	if (!other.is_there && other.id) {
		other.former = other.ended;
		other.former_id = other.ended_id;
		other.ended = s->ended == STATS_UNTOLD ? OTHER_FELL : other_end(s->ended);
		other.ended_id = other.id;
	}
	memory_meter_dataplane(m->app->meter, &other);
	app_events_dataplane(m->app->events, &other);
	if (other.is_there && other.rss) {
		memory_sample_bytes(&m->sample, METER_DATAPLANE "rss", other.rss);
		memory_sample_bytes(&m->sample, METER_DATAPLANE "anonymous", anonymous);
	}
	if (other.is_there)
		memory_sample_dataplane(&m->sample, s);
}

static void on_tables(void *arg, const struct resolver_status *s)
{
	struct app_memory *m = arg;
	struct app *a = m->app;
	struct table_registry tables = s->tables;
	struct heap_stats heap;
	struct rules_status rules;
	uint64_t rss, anonymous;
	char text[MEMORY_LINE_MAX];

	m->asks = false;
	tables_sum(&tables, &m->frontends.tables);
	api_tables(a->api, &tables);
	process_memory(&rss, &anonymous);
	heap_read(&heap);
	m->sample = (struct memory_sample){.uptime_ms = clock_mono_ms() - m->start_ms,
		.wall_s = (uint64_t)time(NULL),
		.questions = s->misses + s->client_questions};
	rules_status(a->rules, &rules);
	m->sample.builds = rules.building;
	memory_sample_bytes(&m->sample, "rss", rss);
	memory_sample_bytes(&m->sample, "anonymous", anonymous);
	memory_sample_bytes(&m->sample, "heap", heap.allocated);
	memory_sample_bytes(&m->sample, "allocator", heap.resident);
	kinds_take(m, heap.resident + heap.retained);
	dataplane_take(m);
	m->sample.queries = queries_count(m);
	accounts_take(&m->sample, &heap);
	fills_take(&m->sample, &tables);
	memory_meter_take(a->meter, &m->sample);
	app_events_look(a->events, a->api, s, &m->frontends, memory_meter_alarms(a->meter));
	app_health_look(a, app_events_reasons(a->events), &rules, s);
	app_versions_look(a);
	const char *due =
		memory_line_take(&m->line, &m->sample, a->current->runtime.log_memory_s, text);
	if (due)
		log_info("%s", due);
}

static void on_frontends(void *arg, const struct frontends_status *s)
{
	struct app_memory *m = arg;
	m->frontends = *s;
	m->asks = resolvers_status(&m->app->resolvers, m->app->service, on_tables, m) == 0;
}

// A loop that does not reply costs samples, not memory: weir waits for its reply.
static void on_second(evutil_socket_t, short, void *arg)
{
	struct app_memory *m = arg;
	if (m->asks)
		return;
	m->asks = frontends_report(&m->app->frontends, m->app->service, on_frontends, m) == 0;
}

int app_memory_open(struct app *a, char why[APP_WHY_MAX])
{
	char path[PATH_MAX];
	const struct timeval second = {.tv_sec = 1};
	struct app_memory *m = heap_calloc(1, sizeof(*m));
	snprintf(path, sizeof(path), "%s/memory.history", a->started->runtime.state_directory);
	int rc = m ? memory_meter_open(&a->meter, path) : -ENOMEM;
	if (rc < 0) {
		heap_free(m);
		snprintf(why, APP_WHY_MAX, "memory meter: %s", strerror(-rc));
		return rc;
	}
	m->app = a;
	m->start_ms = clock_mono_ms();
	a->memory = m;
	m->timer = event_new(loop_base(a->service), -1, EV_PERSIST, on_second, m);
	if (!m->timer || event_add(m->timer, &second) < 0)
		return -ENOMEM;
	return 0;
}

void app_memory_stop(struct app *a)
{
	if (a->memory && a->memory->timer)
		event_free(a->memory->timer);
	if (a->meter)
		memory_meter_stopped(a->meter);
}

// Called once the loops have ended and no reply of a resolver can come.
void app_memory_close(struct app *a)
{
	FREE_AND_NULL(a->memory);
	memory_meter_close(a->meter);
}
