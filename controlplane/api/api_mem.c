// SPDX-License-Identifier: BSD-3-Clause
// Endpoint of memory: accounts, files, the kernel's figures, regions, tables.

#include "api_tables.h"

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

static struct json_node *sum_out(
	struct json_out *o, struct json_node *list, const char *name, const struct mem_sum *s)
{
	struct json_node *n = json_out_object(o, list, NULL);
	json_out_text(o, n, "name", name);
	JSON_COUNTS(o, n, s, bytes, blocks, made, made_bytes);
	return n;
}

// Heap bytes of an account's tables, without regions.
static uint64_t in_tables(const struct table_registry *tables, enum mem_account account)
{
	uint64_t bytes = 0;
	for (unsigned i = 0; i < tables->count; i++)
		if (!tables->table[i].of_dataplane
			&& mem_account_of(tables->table[i].name) == account)
			bytes += tables->table[i].bytes - tables->table[i].shared;
	return bytes;
}

static void accounts_out(struct json_out *o, struct json_node *root, const struct mem_reading *r,
	const struct table_registry *tables)
{
	struct json_node *list = json_out_array(o, root, "accounts");
	for (unsigned i = 0; i < MEM_ACCOUNT_COUNT; i++) {
		struct json_node *n = sum_out(o, list, mem_account_names[i], &r->account[i]);
		json_out_text(o, n, "text", mem_account_texts[i]);
		json_out_count(o, n, "in_tables", in_tables(tables, (enum mem_account)i));
	}
	json_out_count(o, root, "accounted", r->all.bytes);
	JSON_COUNTS(o, root, r, unexplained, unexplained_max);
	json_out_bool(o, root, "alarm", r->alarming);
	json_out_count(o, root, "alarms", r->alarms);
}

static void files_out(struct json_out *o, struct json_node *root)
{
	const struct heap_site *site[HEAP_SITES_MAX];
	unsigned n = heap_sites(site, HEAP_SITES_MAX);
	struct json_node *list = json_out_array(o, root, "files");

	for (unsigned i = 0; i < n; i++) {
		const struct heap_site *s = site[i];
		const char *name = strrchr(s->file, '/');
		struct mem_sum sum = {
			.bytes = atomic_load_explicit(&s->bytes, memory_order_relaxed),
			.blocks = atomic_load_explicit(&s->blocks, memory_order_relaxed),
			.made = atomic_load_explicit(&s->made, memory_order_relaxed),
			.made_bytes = atomic_load_explicit(&s->made_bytes, memory_order_relaxed),
		};
		struct json_node *f = sum_out(o, list, name ? name + 1 : s->file, &sum);
		json_out_text(o, f, "account", mem_account_names[mem_account_of(s->file)]);
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
	}
	files_out(o, root);
	regions_out(o, root);
	api_tables_out(o, root, &tables);
	http_reply(l->exchange, 200, json_out_finish(o));
}

static void serve_mem(struct api *a, struct http_exchange *x)
{
	api_look(a, x, mem_reply);
}

const struct api_part api_mem_part = {.endpoint = {{"/mem", serve_mem, API_ALWAYS}}};
