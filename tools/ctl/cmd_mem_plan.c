// SPDX-License-Identifier: BSD-3-Clause
// The memory that a configuration takes at most, before anything is started.
//
// Regions are computed as they are made; tables of the control plane from their caps with what an
// entry was measured to take (docs/memory.md); rule images are as large as the lists need, which
// nobody knows before they are read, so they are not in the bill.

#include "ctl.h"
#include "json_doc.h"
#include "table_out.h"

#include <stdio.h>

enum {
	MIB = 1 << 20,
	UNIT = 32,              // of L0
	PRIVATE_OF_UNIT = 5,    // the writer's own
	MARK_OF_UNIT = 1,       // for each worker
	OF_QUESTION = 28 << 10, // in flight, with its share of waiters
	OF_CONNECTION = 1536,
	FIXED_LOG = 32 * MIB,       // rows under way, the query store's, top lists
	FIXED_CONTROL = 48 * MIB,   // code, stacks, upstream sockets, statistics and the rest
	FIXED_DATAPLANE = 24 * MIB, // code of DPDK, stacks
	LINES_MAX = 16,
};

struct bill {
	unsigned count;
	uint64_t total;
	struct {
		const char *what, *of;
		uint64_t bytes;
	} line[LINES_MAX];
};

static void charge(struct bill *b, const char *what, const char *of, uint64_t bytes)
{
	b->line[b->count].what = what;
	b->line[b->count].of = of;
	b->line[b->count++].bytes = bytes;
	b->total += bytes;
}

static void bill_make(struct bill *b, const struct config *c)
{
	uint64_t l0 = (uint64_t)c->cache.l0_mb * MIB, workers = c->dataplane.worker_count;
	uint64_t lane =
		LANE_MISS_RING
		+ (uint64_t)(LANE_MISS_UNITS + LANE_ANSWER_UNITS + LANE_LOG_UNITS) * RING_UNIT;

	charge(b, "l0", "cache.l0_mb", l0);
	charge(b, "l0, the writer's", "cache.l0_mb", l0 / UNIT * PRIVATE_OF_UNIT);
	charge(b, "marks", "cache.l0_mb, each worker", workers * (l0 / UNIT) * MARK_OF_UNIT);
	charge(b, "lanes", "each worker", workers * lane);
	charge(b, "packet buffers, drivers", "dataplane.memory_mb",
		(uint64_t)c->dataplane.memory_mb * MIB);
	charge(b, "data plane itself", "", FIXED_DATAPLANE);
	charge(b, "questions and waiters", "limits.inflight",
		(uint64_t)c->limits.inflight * OF_QUESTION);
	charge(b, "connections", "tcp.connections", (uint64_t)c->tcp.connections * OF_CONNECTION);
	charge(b, "their buffers", "tcp.buffer_kb", (uint64_t)c->tcp.buffer_kb << 10);
	charge(b, "query log", "", FIXED_LOG);
	charge(b, "control plane itself", "", FIXED_CONTROL);
}

// Octets that can be had, free huge pages too; 0: unknown.
static uint64_t memory_free(void)
{
	unsigned long long kib, available = 0, pages = 0, page = 0;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof line, f)) {
		if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
			available = kib;
		else if (sscanf(line, "HugePages_Free: %llu", &kib) == 1)
			pages = kib;
		else if (sscanf(line, "Hugepagesize: %llu kB", &kib) == 1)
			page = kib;
	}
	fclose(f);
	return (available + pages * page) << 10;
}

static void bill_print(const struct bill *b, uint64_t can)
{
	static const char *const heads[] = {"memory", ">at most", "by", NULL};
	struct table *t = table_new(heads);
	char text[COUNT_TEXT_MAX];

	for (unsigned i = 0; i < b->count; i++) {
		table_cell(t, "%s", b->line[i].what);
		table_cell(t, "%s", octets_text(b->line[i].bytes, text));
		table_cell(t, "%s", b->line[i].of);
		table_row_end(t);
	}
	table_cell(t, "%s", "in all");
	table_cell(t, "%s", octets_text(b->total, text));
	table_cell(t, "%s", "without rule images: as large as the lists need");
	table_row_end(t);
	table_print(t);
	printf("to be had: %s\n", octets_text(can, text));
}

static void bill_print_json(const struct bill *b, uint64_t can)
{
	struct json_doc *doc = json_doc_new();
	struct json_node *root = json_doc_root(doc);
	struct json_node *list = json_put_array(root, "lines");
	for (unsigned i = 0; i < b->count; i++) {
		struct json_node *n = json_put_object(list, NULL);
		json_put_text(n, "name", b->line[i].what);
		json_put_text(n, "by", b->line[i].of);
		json_put_count(n, "bytes", b->line[i].bytes);
	}
	json_put_count(root, "total", b->total);
	json_put_count(root, "available", can);
	json_put_bool(root, "fits", b->total <= can);
	json_doc_print(doc);
	json_doc_free(doc);
}

int cmd_mem_plan(struct ctl *c)
{
	char why[CONFIG_WHY_MAX] = "";
	struct bill bill = {0};
	uint64_t can = memory_free();

	if (config_load(c->operand ? c->operand : c->config_path, &c->config, why) < 0)
		return ctl_fail(c, "%s", why);
	bill_make(&bill, c->config);
	if (c->json)
		bill_print_json(&bill, can);
	else
		bill_print(&bill, can);
	if (bill.total <= can)
		return CTL_OK;
	if (!c->json)
		fprintf(stderr, "weirctl: it does not fit\n");
	return CTL_FAILED;
}
