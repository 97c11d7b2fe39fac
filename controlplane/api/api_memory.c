// SPDX-License-Identifier: BSD-3-Clause
// Endpoints of the memory meter: how fast memory grows, and its history; and of memory by account.

#include "api_param.h"
#include "api_tables.h"
#include "memory/heap.h"
#include "memory/memory_meter.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

enum { SLOPE_SECONDS = 3600, SLOPE_SECONDS_MAX = 86400, HISTORY_ROWS_MAX = METER_MINUTES };

static void meter_tables(struct api *a, struct table_registry *tables)
{
	if (!a->deps.meter)
		return;
	const struct memory_ring *r = memory_meter_minutes(a->deps.meter);
	uint64_t used = 0;
	for (unsigned i = 0; i < MEMORY_SERIES_MAX; i++)
		used += r->series[i].name[0] != '\0';
	table_register(tables, &(struct table_info){.name = "memory_series",
				       .owner = "memory meter",
				       .eviction = "leave the next series out",
				       .lifetime = "24 h after its last value",
				       .kind = TABLE_FIXED,
				       .cap = MEMORY_SERIES_MAX,
				       .used = used,
				       .refused = memory_meter_refused(a->deps.meter),
				       .has = TABLE_REFUSES,
				       .bytes = memory_meter_bytes(a->deps.meter)});
}

// Rounds to 63 bits. The history file is not trusted: a slope may be any double.
static int64_t whole(double v)
{
	static const double most = 9e18; // within 63 bits
	return !(v > -most) ? -(int64_t)most : v < most ? (int64_t)v : (int64_t)most;
}

static void trend_out(struct json_out *o, struct json_node *n, const struct memory_slope *s)
{
	json_out_count(o, n, "samples", s->trend.samples);
	json_out_signed(o, n, "per_hour", whole(s->trend.slope * 3600));
	json_out_bool(o, n, "known", s->trend.known);
	if (s->trend.known)
		json_out_signed(o, n, "plus_minus", whole(s->trend.half * 3600));
}

static void slopes_out(struct json_out *o, struct json_node *list, const struct memory_report *r,
	enum memory_kind kind)
{
	for (unsigned i = 0; i < r->count; i++) {
		const struct memory_slope *s = &r->slope[i];
		if (s->kind != (uint32_t)kind)
			continue;
		struct json_node *n = json_out_object(o, list, NULL);
		json_out_text(o, n, "name", s->name);
		json_out_count(o, n, kind == MEMORY_FILL ? "used" : "bytes", s->value);
		if (kind == MEMORY_FILL) {
			json_out_count(o, n, "cap", s->cap);
			json_out_bool(o, n, "fills", s->fills);
		}
		trend_out(o, n, s);
		if (kind == MEMORY_BYTES && r->query_rate > 0)
			json_out_signed(o, n, "per_million_queries",
				whole(s->trend.slope / r->query_rate * 1e6));
	}
}

static void report_out(struct json_out *o, const struct memory_report *r)
{
	struct json_node *root = json_out_root(o);
	JSON_COUNTS(o, root, r, span_ms, samples);
	json_out_count(o, root, "sample_every_s", r->by_minute ? 60 : 1);
	json_out_bool(o, root, "steady", r->steady);
	json_out_text(o, root, "filling", r->filling);
	json_out_signed(o, root, "queries_per_s", whole(r->query_rate));
	json_out_bool(o, root, "alarm", r->alarm);
	json_out_text(o, root, "alarm_by", r->alarm_by);
	json_out_count(o, root, "alarms", r->alarms);
	json_out_count(o, root, "refused_series", r->refused);
	json_out_bool(o, root, "history_kept", r->kept);
	json_out_count(o, root, "history_damaged", r->damaged);
	slopes_out(o, json_out_array(o, root, "bytes"), r, MEMORY_BYTES);
	slopes_out(o, json_out_array(o, root, "tables"), r, MEMORY_FILL);
}

// Replies with how fast memory grows.
static void serve_memory_slope(struct api *a, struct http_exchange *x)
{
	unsigned seconds = SLOPE_SECONDS;
	if (http_param(x, "seconds")
		&& !api_param_number(x, "seconds", SLOPE_SECONDS_MAX, &seconds))
		return;
	struct memory_report *r = a->deps.meter ? heap_malloc(sizeof(*r)) : NULL;
	if (!r) {
		api_refuse(x, 503, "there is no memory meter");
		return;
	}
	memory_meter_report(a->deps.meter, seconds, r);
	struct json_out *o = json_out_new();
	report_out(o, r);
	http_reply(x, 200, json_out_finish(o));
	heap_free(r);
}

static void alarm_out(struct json_out *o, struct json_node *list, const struct judge_alarm *a)
{
	struct json_node *n = json_out_object(o, list, NULL);
	json_out_text(o, n, "process", judge_process_texts[a->process]);
	json_out_text(o, n, "kind", judge_kind_texts[a->kind]);
	json_out_text(o, n, "name", a->name);
	json_out_text(o, n, "unit", a->unit);
	json_out_signed(o, n, "per_hour", whole(a->per_hour));
	json_out_signed(o, n, "gained", whole(a->gained));
	json_out_count(o, n, "over_s", a->over_s);
	json_out_count(o, n, "since", a->since_s);
	json_out_text(o, n, "by", a->by);
}

static void alarms_out(struct json_out *o, struct json_node *list, const struct judge_status *s)
{
	for (unsigned i = 0; i < s->count; i++)
		alarm_out(o, list, &s->alarm[i]);
}

static void memory_status(struct json_out *o, struct json_node *root, const struct api_look *l)
{
	struct json_node *list = json_out_array(o, root, "memory_alarms");
	if (l->api->deps.meter)
		alarms_out(o, list, memory_meter_alarms(l->api->deps.meter));
}

// Replies with what grows without an explanation.
static void serve_memory_alarms(struct api *a, struct http_exchange *x)
{
	if (!a->deps.meter) {
		api_refuse(x, 503, "there is no memory meter");
		return;
	}
	const struct judge_status *s = memory_meter_alarms(a->deps.meter);
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	alarms_out(o, json_out_array(o, root, "alarms"), s);
	JSON_COUNTS(o, root, s, left_out, raised, judged_s);
	http_reply(x, 200, json_out_finish(o));
}

static void lives_out(struct json_out *o, struct json_node *list, const struct memory_lives *lives)
{
	const struct memory_life *l;
	for (unsigned back = 0; (l = memory_life_get(lives, back)); back++) {
		struct json_node *n = json_out_object(o, list, NULL);
		json_out_count(o, n, "number", l->number);
		json_out_text(o, n, "version", l->version);
		json_out_count(o, n, "started_unix_s", l->started_s);
		json_out_count(o, n, "seen_unix_s", l->seen_s);
		JSON_COUNTS(o, n, l, uptime_ms, rss, heap, queries);
		json_out_text(o, n, "end", memory_end_text(l->end));
	}
}

static unsigned series_of(const struct memory_ring *r, const char *name)
{
	unsigned i = 0;
	while (i < MEMORY_SERIES_MAX
		&& (r->series[i].kind != MEMORY_BYTES || strcmp(r->series[i].name, name) != 0))
		i++;
	return i;
}

// Adds rows of one series, a minute each, the newest first.
static void minutes_out(struct json_out *o, struct json_node *list, const struct memory_ring *r,
	unsigned series, unsigned limit)
{
	const struct memory_row *row;
	for (unsigned back = 0; back < limit && (row = memory_ring_row(r, back)); back++) {
		if (row->life == 0 || row->value[series] == MEMORY_ABSENT)
			continue;
		struct json_node *n = json_out_object(o, list, NULL);
		json_out_count(o, n, "unix_s", row->wall_s);
		JSON_COUNTS(o, n, row, life, queries);
		json_out_count(o, n, "bytes", row->value[series]);
	}
}

// Replies with the memory of the past, from the disk.
static void serve_memory_history(struct api *a, struct http_exchange *x)
{
	char name[MEMORY_NAME_MAX];
	unsigned limit = HISTORY_ROWS_MAX;
	if (!api_param_text(x, "name", name, sizeof(name)))
		return;
	if (http_param(x, "limit") && !api_param_number(x, "limit", HISTORY_ROWS_MAX, &limit))
		return;
	if (!a->deps.meter) {
		api_refuse(x, 503, "there is no memory meter");
		return;
	}
	const struct memory_ring *r = memory_meter_minutes(a->deps.meter);
	unsigned series = series_of(r, *name ? name : "rss");
	if (series == MEMORY_SERIES_MAX && *name) {
		api_refuse(x, 404, "no such series: weirctl mem slope lists them");
		return;
	}
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	lives_out(o, json_out_array(o, root, "lives"),
		memory_meter_lives(a->deps.meter, MEMORY_CONTROLPLANE));
	lives_out(o, json_out_array(o, root, "dataplane_lives"),
		memory_meter_lives(a->deps.meter, MEMORY_DATAPLANE));
	struct json_node *minutes = json_out_array(o, root, "minutes");
	if (series < MEMORY_SERIES_MAX)
		minutes_out(o, minutes, r, series, limit);
	http_reply(x, 200, json_out_finish(o));
}

const struct api_part api_memory_part = {
	.endpoint = {{"/mem/alarms", serve_memory_alarms, API_ALWAYS, CONTROL_READ, ""},
		{"/memory/slope", serve_memory_slope, API_ALWAYS, CONTROL_READ, "seconds"},
		{"/memory/history", serve_memory_history, API_ALWAYS, CONTROL_READ, "name limit"}},
	.tables = meter_tables,
	.status = memory_status,
};

// Endpoint of memory: accounts, source files, allocation sites, the kernel's figures, mappings and
// descriptors by kind, regions, tables.

static void process_out(struct json_out *o, struct json_node *root, const struct mem_process *p)
{
	struct json_node *n = json_out_object(o, root, "process");
	json_out_count(o, n, "pid", (uint64_t)getpid());
	JSON_COUNTS(o, n, p, allocated, held, rss, rss_heap, rss_code, rss_regions, rss_stacks,
		rss_other, huge, swapped, maps, threads, files);
}

static void arenas_out(struct json_out *o, struct json_node *root)
{
	struct heap_arena arena[HEAP_ARENAS_MAX];
	unsigned count = heap_arenas(arena);
	struct json_node *list = json_out_array(o, root, "arenas");
	for (unsigned i = 0; i < count; i++) {
		struct json_node *n = json_out_object(o, list, NULL);
		JSON_COUNTS(o, n, &arena[i], number, threads, allocated, active, resident, dirty);
	}
}

static struct json_node *sum_out(
	struct json_out *o, struct json_node *list, const char *name, const struct mem_sum *s)
{
	struct json_node *n = json_out_object(o, list, NULL);
	json_out_text(o, n, "name", name);
	JSON_COUNTS(o, n, s, bytes, blocks, made, made_bytes);
	return n;
}

// Heap bytes of an account's tables, without regions. Tables that have a property in `without` are
// left out.
static uint64_t in_tables(
	const struct table_registry *tables, enum mem_account account, unsigned without)
{
	uint64_t bytes = 0;
	for (unsigned i = 0; i < tables->count; i++)
		if (!tables->table[i].of_dataplane && !(tables->table[i].has & without)
			&& mem_account_of(tables->table[i].name) == account)
			bytes += tables->table[i].bytes - tables->table[i].shared;
	return bytes;
}

static void resident_out(struct json_out *o, struct json_node *root, const struct mem_resident *r)
{
	struct json_node *n = json_out_object(o, root, "resident");
	JSON_COUNTS(o, n, r, accounts, caches, slack, allocator, regions, code, stacks, other,
		explained);
}

static void accounts_out(struct json_out *o, struct json_node *root, const struct mem_reading *r,
	const struct table_registry *tables)
{
	struct json_node *list = json_out_array(o, root, "accounts");
	for (unsigned i = 0; i < MEM_ACCOUNT_COUNT; i++) {
		struct json_node *n = sum_out(o, list, mem_account_names[i], &r->account[i]);
		json_out_text(o, n, "text", mem_account_texts[i]);
		json_out_count(o, n, "resident", r->account[i].bytes - r->account[i].untouched);
		json_out_count(o, n, "in_tables", in_tables(tables, (enum mem_account)i, 0));
		// Only tables that allocate as they fill; the others took their memory at the
		// start.
		json_out_count(
			o, n, "in_filling", in_tables(tables, (enum mem_account)i, TABLE_RESERVED));
	}
	json_out_count(o, root, "accounted", r->all.bytes);
	JSON_COUNTS(o, root, r, unexplained, unexplained_max);
	json_out_bool(o, root, "alarm", r->alarming);
	json_out_count(o, root, "alarms", r->alarms);
}

static struct json_node *site_sum_out(struct json_out *o, struct json_node *list, const char *name,
	const struct heap_site *const site[], unsigned count)
{
	struct mem_sum sum = {0};
	for (unsigned i = 0; i < count; i++)
		mem_sum_add(&sum, site[i]);
	struct json_node *n = sum_out(o, list, name, &sum);
	json_out_text(o, n, "account", mem_account_names[mem_account_of(site[0]->file)]);
	return n;
}

// How many sites in a row are in the first site's file, or on its line: a macro may have several.
static unsigned run_of(const struct heap_site *const site[], unsigned count, bool by_line)
{
	unsigned n = 1;
	while (n < count && strcmp(site[n]->file, site[0]->file) == 0
		&& (!by_line || (site[n]->line && site[n]->line == site[0]->line)))
		n++;
	return n;
}

static void sites_out(struct json_out *o, struct json_node *root)
{
	const struct heap_site *site[HEAP_SITES_MAX];
	unsigned count = heap_sites(site, HEAP_SITES_MAX), run;
	struct json_node *files = json_out_array(o, root, "files");
	struct json_node *sites = json_out_array(o, root, "sites");
	char name[HEAP_SITE_NAME];

	for (unsigned i = 0; i < count; i += run) {
		run = run_of(&site[i], count - i, false);
		const char *file = strrchr(site[i]->file, '/');
		site_sum_out(o, files, file ? file + 1 : site[i]->file, &site[i], run);
	}
	for (unsigned i = 0; i < count; i += run) {
		run = run_of(&site[i], count - i, true);
		site_sum_out(o, sites, heap_site_name(site[i], name), &site[i], run);
	}
}

static void regions_out(struct json_out *o, struct json_node *root)
{
	struct mem_region region[MEM_REGIONS_MAX];
	int n = mem_regions_read(0, region);
	struct json_node *list = json_out_array(o, root, "regions");

	for (int i = 0; i < n; i++) {
		struct json_node *r = json_out_object(o, list, NULL);
		json_out_text(o, r, "name", region[i].name);
		JSON_COUNTS(o, r, &region[i], bytes, resident);
		json_out_bool(o, r, "huge", region[i].huge);
	}
}

// Adds the kinds of mappings and descriptors that there are.
static void kinds_out(struct json_out *o, struct json_node *root, const struct mem_kinds *k)
{
	struct json_node *list = json_out_array(o, root, "mappings");
	for (unsigned i = 0; i < MEM_MAPS; i++) {
		if (!k->maps[i])
			continue;
		struct json_node *n = json_out_object(o, list, NULL);
		json_out_text(o, n, "name", mem_map_names[i]);
		json_out_count(o, n, "maps", k->maps[i]);
		json_out_count(o, n, "bytes", k->bytes[i]);
	}
	list = json_out_array(o, root, "deleted_mappings");
	for (unsigned i = 0; i < REGION_KINDS; i++) {
		if (!k->deleted[i].files)
			continue;
		struct json_node *n = json_out_object(o, list, NULL);
		json_out_text(o, n, "name", region_kind_names[i]);
		JSON_COUNTS(o, n, &k->deleted[i], files, bytes, stale, stale_bytes, behind);
	}
	list = json_out_array(o, root, "descriptors");
	for (unsigned i = 0; i < MEM_FDS; i++) {
		if (!k->descriptors[i])
			continue;
		struct json_node *n = json_out_object(o, list, NULL);
		json_out_text(o, n, "name", mem_fd_names[i]);
		json_out_count(o, n, "open", k->descriptors[i]);
	}
}

static void mem_reply(const struct api_look *l)
{
	struct api *a = l->api;
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	struct table_registry tables;
	struct mem_reading r;

	api_tables_look(l, &tables);
	json_out_count(o, root, "unix_s", (uint64_t)time(NULL));
	json_out_count(o, root, "uptime_ms", clock_mono_ms() - a->start_ms);
	if (mem_watch_read(a->watch, &r) == 0) {
		process_out(o, root, &r.process);
		accounts_out(o, root, &r, &tables);
		arenas_out(o, root);
		resident_out(o, root, &r.resident);
	}
	if (mem_watch_kinds(a->watch))
		kinds_out(o, root, mem_watch_kinds(a->watch));
	sites_out(o, root);
	regions_out(o, root);
	api_tables_out(o, root, &tables);
	http_reply(l->exchange, 200, json_out_finish(o));
}

// Replies with the memory of both processes, by what it is for.
static void serve_mem(struct api *a, struct http_exchange *x)
{
	api_look(a, x, mem_reply);
}

const struct api_part api_mem_part = {
	.endpoint = {{"/mem", serve_mem, API_ALWAYS, CONTROL_READ, ""}}};
