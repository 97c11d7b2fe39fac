// SPDX-License-Identifier: BSD-3-Clause
// Endpoint of memory: accounts, files, allocation sites, the kernel's figures, mappings and
// descriptors by kind, regions, tables.

#include "api_tables.h"
#include "memory/heap.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

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

// Heap bytes of an account's tables, without regions. `without`: tables of these notions are left
// out.
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
		// These allocate as they fill; the others took their memory at the start.
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

// How many are of the first one's file, or of its line: a macro may allocate twice.
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

// Rows that nothing has are left out, of mappings and descriptors alike.
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

static void serve_mem(struct api *a, struct http_exchange *x)
{
	api_look(a, x, mem_reply);
}

const struct api_part api_mem_part = {
	.endpoint = {{"/mem", serve_mem, API_ALWAYS, CONTROL_READ, ""}}};
