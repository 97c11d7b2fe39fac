// SPDX-License-Identifier: BSD-3-Clause
// `weirctl mem`: where the memory of both processes is, by table, account, file, site, region and
// kind; unexplained growth; the speed of growth, and its history; a comparison of two snapshots;
// and the most memory that a configuration takes, by the plan of mem_plan.h by which both processes
// refuse to start.

#include "lib/ctl.h"
#include "lib/figure.h"
#include "lib/http_get.h"
#include "lib/json_doc.h"
#include "lib/say.h"
#include "lib/show.h"
#include "lib/table_cell.h"
#include "terminal/term_text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weir/config_tools.h>
#include <weir/heap_site.h>
#include <weir/mem_account.h>
#include <weir/mem_plan.h>
#include <weir/own_file.h>
#include <weir/stats_read.h>

// A document is the state of both processes' memory at one time as a JSON object: the control
// plane's reply to GET /mem, with the regions that the data plane has mapped, as far as this
// process may see (root). A snapshot is a document in a file of the runtime directory, which the
// next boot removes. Each document has its `format`: values that an older one lacks are left out, a
// later one is refused.
enum { MEM_NAME_MAX = 32, MEM_DOC_MAX = 1 << 20, MEM_DOC_FORMAT = 2 };

// Prints a line of text on stdout.
static void line_print(const char *name, uint64_t bytes, const char *text)
{
	char shown[FIGURE_MAX];
	printf("  %-24s %12s  %s\n", name, figure_bytes(bytes, shown), text);
}

// Prints the line of the explained bytes, with their share of the resident set.
static void explained_print(uint64_t bytes, uint64_t rss)
{
	char text[64];
	snprintf(text, sizeof(text), "%.1f %% of the resident set",
		rss ? 100.0 * (double)bytes / (double)rss : 0);
	line_print("explained", bytes, text);
}

// a - b, at least 0.
static uint64_t above(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static void regions_add(struct json_node *root, unsigned pid)
{
	struct mem_region region[MEM_REGIONS_MAX];
	int n = mem_regions_read(pid, region);
	struct json_node *list = json_put_array(root, "dataplane_regions");
	for (int i = 0; i < n; i++) {
		struct json_node *r = json_put_object(list, NULL);
		json_put_text(r, "name", region[i].name);
		json_put_count(r, "bytes", region[i].bytes);
		json_put_count(r, "resident", region[i].resident);
		json_put_bool(r, "huge", region[i].huge);
	}
}

static void part_add(struct json_node *list, const char *name, uint64_t bytes, const char *text)
{
	struct json_node *n = json_put_object(list, NULL);
	json_put_text(n, "name", name);
	json_put_count(n, "bytes", bytes);
	json_put_text(n, "text", text);
}

// Adds the memory that DPDK has reserved, by owner.
static void eal_add(struct json_node *n, const struct stats_copy *s)
{
	const struct stats_eal eal = stats_eal_split(s);
	struct json_node *list = json_put_array(n, "eal");
	part_add(list, "packet buffers", eal.buffers, "dataplane.mbufs, each worker");
	part_add(list, "workers", eal.workers, "their state and asked keys");
	part_add(list, "others", eal.others, "weir's further calls (weirctl mem sites)");
	part_add(list, "drivers", eal.drivers, "DPDK's own: ports, rings of descriptors");
	part_add(list, "free", eal.free, "of dataplane.memory_mb");
}

static void heap_add(struct json_node *n, const struct stats_memory_copy *m)
{
	json_put_count(n, "allocated", m->allocated);
	json_put_count(n, "held", m->held);
	json_put_count(n, "accounted", m->accounted);
	json_put_count(n, "libraries", m->libraries);
	json_put_count(n, "unexplained", m->unexplained);
	json_put_count(n, "unexplained_max", m->unexplained_max);
	json_put_count(n, "alarms", m->alarms);
	json_put_bool(n, "alarm", m->alarming);
	struct json_node *list = json_put_array(n, "accounts");
	for (unsigned i = 0; i < MEM_ACCOUNT_COUNT; i++)
		if (m->account[i])
			part_add(list, mem_account_names[i], m->account[i], mem_account_texts[i]);
}

// Is DPDK's memory in huge pages? weir's regions may be while DPDK's is not. Each segment of DPDK
// is a memfd.
static bool dpdk_is_huge(unsigned pid)
{
	static const char segment[] = "memfd:seg_";
	struct mem_region region[MEM_REGIONS_MAX];
	int n = mem_regions_read(pid, region);
	for (int i = 0; i < n; i++)
		if (region[i].huge && strncmp(region[i].name, segment, sizeof(segment) - 1) == 0)
			return true;
	return false;
}

// Bytes of the resident set whose owner is known. Without huge pages DPDK's memory is among the
// pages that the allocator does not have.
static uint64_t explained(const struct mem_process *p, const struct stats_copy *s, uint64_t mapped)
{
	const struct stats_memory_copy *m = &s->memory;
	const struct stats_eal eal = stats_eal_split(s);
	uint64_t dpdk = p->huge && dpdk_is_huge(s->pid)
				? 0
				: eal.buffers + eal.workers + eal.others + eal.drivers + eal.free;
	uint64_t heap = p->rss_heap < m->held ? p->rss_heap : m->held;
	return above(heap, m->unexplained) + (mapped < dpdk ? mapped : dpdk) + p->rss_code
	       + p->rss_regions + p->rss_stacks + p->rss_other;
}

// Adds the process's memory. `mapped`: pages without a file of neither the allocator nor stacks,
// which libraries map for themselves.
static void process_add(struct json_node *n, const struct stats_copy *s)
{
	struct mem_process p;
	if (mem_process_of(s->pid, &p) < 0)
		return;
	json_put_count(n, "rss", p.rss);
	json_put_count(n, "rss_heap", p.rss_heap);
	json_put_count(n, "rss_code", p.rss_code);
	json_put_count(n, "rss_regions", p.rss_regions);
	json_put_count(n, "rss_stacks", p.rss_stacks);
	json_put_count(n, "rss_other", p.rss_other);
	json_put_count(n, "huge", p.huge);
	json_put_count(n, "swapped", p.swapped);
	uint64_t mapped = above(p.rss_heap, s->memory.held);
	json_put_count(n, "mapped", mapped);
	json_put_bool(n, "mapped_alarm", mem_is_alarming(&p, mapped));
	json_put_count(n, "explained", explained(&p, s, mapped));
}

// Adds the sites, with the columns of the control plane's sites in GET /mem that are known.
static void sites_add(struct json_node *n, const struct stats_copy *s)
{
	struct json_node *list = json_put_array(n, "sites");
	for (unsigned i = 0; i < s->sites; i++) {
		struct json_node *row = json_put_object(list, NULL);
		json_put_text(row, "name", s->site[i].name);
		json_put_text(row, "account", s->site[i].is_dpdk ? "DPDK" : "heap");
		json_put_count(row, "bytes", s->site[i].bytes);
		json_put_count(row, "blocks", s->site[i].blocks);
	}
}

// Adds mappings and descriptors, in lists as GET /mem has them for the control plane.
static void kinds_add(struct json_node *n, const struct mem_kinds *k)
{
	struct json_node *list = json_put_array(n, "mappings"), *row;
	for (unsigned i = 0; i < MEM_MAPS; i++) {
		if (!k->maps[i])
			continue;
		row = json_put_object(list, NULL);
		json_put_text(row, "name", mem_map_names[i]);
		json_put_count(row, "maps", k->maps[i]);
		json_put_count(row, "bytes", k->bytes[i]);
	}
	list = json_put_array(n, "deleted_mappings");
	for (unsigned i = 0; i < REGION_KINDS; i++) {
		const struct mem_deleted *d = &k->deleted[i];
		if (!d->files)
			continue;
		row = json_put_object(list, NULL);
		json_put_text(row, "name", region_kind_names[i]);
		json_put_count(row, "files", d->files);
		json_put_count(row, "bytes", d->bytes);
		json_put_count(row, "stale", d->stale);
		json_put_count(row, "stale_bytes", d->stale_bytes);
		json_put_count(row, "behind", d->behind);
	}
	list = json_put_array(n, "descriptors");
	for (unsigned i = 0; i < MEM_FDS; i++) {
		if (!k->descriptors[i])
			continue;
		row = json_put_object(list, NULL);
		json_put_text(row, "name", mem_fd_names[i]);
		json_put_count(row, "open", k->descriptors[i]);
	}
}

static void dataplane_add(const struct ctl *c, struct json_node *root)
{
	struct stats_copy *s = calloc(1, sizeof(*s));
	char why[SHM_WHY_MAX];
	if (s && stats_read(&c->paths, s, why) == 0
		&& dataplane_state(&c->paths, s) == PROCESS_UP) {
		struct json_node *n = json_put_object(root, "dataplane");
		json_put_count(n, "pid", s->pid);
		heap_add(n, &s->memory);
		eal_add(n, s);
		process_add(n, s);
		sites_add(n, s);
		if (s->kinds.looks)
			kinds_add(n, &s->kinds);
		regions_add(root, s->pid);
	}
	free(s);
}

static void lines(const struct json_node *list)
{
	for (size_t i = 0; i < json_length(list); i++) {
		const struct json_node *n = json_at(list, i);
		line_print(json_text(n, "name"), json_count(n, "bytes"), json_text(n, "text"));
	}
}

static void dataplane_regions_print(const struct json_node *root)
{
	char shown[128];
	const struct json_node *list = json_get(root, "dataplane_regions");
	for (size_t i = 0; i < json_length(list); i++) {
		const struct json_node *r = json_at(list, i);
		line_print(term_text(json_text(r, "name"), shown, sizeof(shown)),
			json_count(r, "resident"), json_flag(r, "huge") ? "huge pages" : "");
	}
}

// Prints the data plane's part of a document: its heap by account from its statistics, the memory
// that it has reserved from DPDK, and its mappings from the kernel, which only root may read. The
// part is empty while no data plane runs.
static void dataplane_print(const struct json_node *root)
{
	static const char much[] = "ALARM: that is too much";
	const struct json_node *n = json_get(root, "dataplane");
	if (!n)
		return;
	printf("\ndata plane: heap\n");
	lines(json_get(n, "accounts"));
	line_print(
		"libraries", json_count(n, "libraries"), "DPDK and others, when all had started");
	line_print("unexplained", json_count(n, "unexplained"),
		json_flag(n, "alarm") ? much : "of what came later");
	line_print("allocated", json_count(n, "allocated"), "");
	printf("\ndata plane: DPDK's memory\n");
	lines(json_get(n, "eal"));
	printf("\ndata plane: resident set\n");
	dataplane_regions_print(root);
	line_print("code", json_count(n, "rss_code"), "programs and libraries, with their data");
	line_print("stacks", json_count(n, "rss_stacks"), "of threads");
	line_print("allocator's pages", above(json_count(n, "rss_heap"), json_count(n, "mapped")),
		"heap");
	line_print("other pages", json_count(n, "mapped"),
		json_flag(n, "mapped_alarm") ? much : "mapped by libraries");
	explained_print(json_count(n, "explained"), json_count(n, "rss"));
	line_print("in all", json_count(n, "rss"), "");
	line_print("huge pages", json_count(n, "huge"), "not in the resident set");
}

// NULL: it has printed why.
static struct json_doc *doc_fetch(const struct ctl *c)
{
	struct json_doc *doc = http_call_or_fail(c, false, "/mem", NULL, HTTP_SHORT_MS);
	if (doc) {
		json_put_count(json_doc_root(doc), "format", MEM_DOC_FORMAT);
		dataplane_add(c, json_doc_root(doc));
	}
	return doc;
}

static bool name_good(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");
	return n >= 1 && n <= MEM_NAME_MAX && name[n] == '\0';
}

static int path_make(const struct ctl *c, const char *name, char out[SHM_PATH_MAX])
{
	if (!name_good(name))
		return ctl_fail(c, "a snapshot's name is 1 to %d letters, digits, '-' and '_'",
			MEM_NAME_MAX);
	int n = snprintf(out, SHM_PATH_MAX, "%s/mem-%s.json", c->paths.run, name);
	return n < SHM_PATH_MAX ? CTL_OK : ctl_fail(c, "%s: path too long", name);
}

// `name`: 1 to MEM_NAME_MAX letters, digits, '-' and '_'.
static int doc_keep(const struct ctl *c, const char *name, const struct json_doc *doc)
{
	char path[SHM_PATH_MAX];
	if (path_make(c, name, path) != CTL_OK)
		return CTL_FAILED;
	char *text = json_doc_text(doc);
	if (!text)
		return ctl_fail(c, "out of memory");
	int fd = own_file_make(path, 0600);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
	bool good = f && fputs(text, f) >= 0;
	if (f)
		good = fclose(f) == 0 && good;
	int err = fd < 0 ? -fd : errno;
	free(text);
	return good ? CTL_OK : ctl_fail(c, "%s: %s", path, strerror(err));
}

// NULL: it has printed why.
static struct json_doc *doc_kept(const struct ctl *c, const char *name)
{
	char path[SHM_PATH_MAX];
	if (path_make(c, name, path) != CTL_OK)
		return NULL;
	int fd = own_file_open(path, O_RDONLY, 0);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	int err = fd < 0 ? -fd : errno;
	char *text = f ? malloc(MEM_DOC_MAX) : NULL;
	struct json_doc *doc = NULL;
	if (text) {
		size_t n = fread(text, 1, MEM_DOC_MAX, f);
		doc = json_doc_parse(text, n);
	}
	if (!f)
		ctl_fail(c, "%s: %s", path, err == ENOENT ? "no such snapshot" : strerror(err));
	else if (!doc)
		ctl_fail(c, "%s: is no snapshot", path);
	if (doc && json_count(json_doc_root(doc), "format") > MEM_DOC_FORMAT) {
		ctl_fail(c, "%s: was written by a later version", path);
		json_doc_free(doc);
		doc = NULL;
	}
	free(text);
	if (f)
		fclose(f);
	return doc;
}

static int mem_show(struct ctl *c, void (*print)(const struct json_node *root))
{
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	return show_doc(c, doc_fetch(c), print);
}

// The fill of a table. If each worker has such a table it is the fullest one's, which says more
// than the mean.
static void fill_cell(struct table *t, const struct json_node *n, const char *)
{
	bool parts = json_get(n, "workers") != NULL;
	uint64_t used = json_count(n, parts ? "fullest_used" : "used");
	uint64_t cap = json_count(n, parts ? "fullest_cap" : "cap");
	if (cap)
		table_cell(t, "%.1f", 100.0 * (double)used / (double)cap);
	else
		table_cell(t, "%s", "");
}

// "-": the table has no ages.
static void age_cell(struct table *t, const struct json_node *n, const char *key)
{
	if (!json_get(n, key))
		table_cell(t, "%s", "-");
	else if (json_count(n, key))
		cell_duration(t, n, key);
	else
		table_cell(t, "%s", "");
}

static void notion_cell(struct table *t, const struct json_node *n, const char *key)
{
	if (json_get(n, key))
		cell_count(t, n, key);
	else
		table_cell(t, "%s", "-");
}

static void tables_print(const struct json_node *root)
{
	static const struct cell_column columns[] = {{"table", "name", cell_text},
		{"of", "owner", cell_text}, {">used", "used", cell_count},
		{">cap", "cap", cell_count}, {">fill %", "", fill_cell},
		{">most", "high", cell_count}, {">evicted", "evicted", notion_cell},
		{">refused", "refused", notion_cell}, {">bytes", "bytes", cell_bytes},
		{">oldest", "oldest_ms", age_cell}, {">grown", "grown", notion_cell},
		{">shrunk", "shrunk", notion_cell}, {"TTL", "lifetime", cell_text},
		{"when full", "eviction", cell_text}};
	cell_rows_print(json_get(root, "tables"), columns, ARRAY_LEN(columns));
	say_if(root, "tables_dropped",
		"{tables_dropped:u} tables more, for which the registry has no room\n");
}

static int cmd_mem_tables(struct ctl *c)
{
	return mem_show(c, tables_print);
}

static void resident_print(const struct json_node *root)
{
	const struct json_node *p = json_get(root, "process"), *r = json_get(root, "resident");
	uint64_t rss = json_count(p, "rss"), unexplained = json_count(root, "unexplained");
	char text[96];

	printf("resident set\n");
	line_print("accounts", json_count(r, "accounts"), "what of their bytes has been touched");
	line_print("caches", json_count(r, "caches"), "freed blocks that threads keep");
	line_print("slack", json_count(r, "slack"), "the rest of pages that blocks are in");
	line_print("allocator", json_count(r, "allocator"), "its own, and pages without a block");
	line_print("regions", json_count(r, "regions"), "shared with the data plane");
	line_print("code", json_count(r, "code"), "programs and libraries, with their data");
	line_print("stacks", json_count(r, "stacks"), "of threads");
	line_print("other", json_count(r, "other"), "the kernel's");
	explained_print(json_count(r, "explained"), rss);
	line_print("in all", rss, "");
	line_print("huge pages", json_count(p, "huge"), "not in the resident set");
	line_print("swapped", json_count(p, "swapped"), "");
	printf("\nallocator\n");
	line_print("accounts", json_count(root, "accounted"), "as above");
	snprintf(text, sizeof(text), "%.1f %% of the resident set%s",
		rss ? 100.0 * (double)unexplained / (double)rss : 0,
		json_flag(root, "alarm") ? "; ALARM: that is too much" : "");
	line_print("unexplained", unexplained, text);
	line_print("allocated", json_count(p, "allocated"), "");
	line_print("held", json_count(p, "held"), "from the kernel, for that");
	line_print("untouched", above(json_count(p, "held"), json_count(p, "rss_heap")),
		"reserved, and never written so far");
	say(p, "\n{maps:u} mappings, {threads:u} threads, {files:u} open files\n");
}

// Active bytes that are not allocated are lost between blocks; resident bytes that are not active
// are free.
static void arenas_print(const struct json_node *root)
{
	static const struct cell_column columns[] = {{"arena", "number", cell_count},
		{">threads", "threads", cell_count}, {">allocated", "allocated", cell_bytes},
		{">active", "active", cell_bytes}, {">resident", "resident", cell_bytes},
		{">dirty", "dirty", cell_bytes}};
	if (json_length(json_get(root, "arenas")) == 0)
		return;
	printf("\n");
	cell_rows_print(json_get(root, "arenas"), columns, ARRAY_LEN(columns));
}

static void accounts_print(const struct json_node *root)
{
	static const struct cell_column columns[] = {{"account", "name", cell_text},
		{">bytes", "bytes", cell_bytes}, {">resident", "resident", cell_bytes},
		{">in tables", "in_tables", cell_bytes}, {">blocks", "blocks", cell_count},
		{">made", "made", cell_count}, {">bytes made", "made_bytes", cell_bytes},
		{"what", "text", cell_text}};
	cell_rows_print(json_get(root, "accounts"), columns, ARRAY_LEN(columns));
	printf("\n");
	resident_print(root);
	arenas_print(root);
	dataplane_print(root);
}

static int cmd_mem_accounts(struct ctl *c)
{
	return mem_show(c, accounts_print);
}

static int larger_first(const void *a, const void *b)
{
	const struct json_node *const *x = a, *const *y = b;
	uint64_t of_x = json_count(*x, "bytes"), of_y = json_count(*y, "bytes");
	return (of_x < of_y) - (of_x > of_y);
}

// Prints the rows of the array `key`, ordered by bytes, most first.
static void largest_print(const struct json_node *root, const char *key, const char *head)
{
	const struct cell_column columns[] = {{head, "name", cell_text},
		{"account", "account", cell_text}, {">bytes", "bytes", cell_bytes},
		{">blocks", "blocks", cell_count}, {">made", "made", cell_count},
		{">bytes made", "made_bytes", cell_bytes}};
	const struct json_node *list = json_get(root, key), *row[HEAP_SITES_MAX];
	struct table *t = cell_table(columns, ARRAY_LEN(columns));
	size_t count = json_length(list) < HEAP_SITES_MAX ? json_length(list) : HEAP_SITES_MAX;

	for (size_t i = 0; i < count; i++)
		row[i] = json_at(list, i);
	qsort(row, count, sizeof(row[0]), larger_first);
	for (size_t i = 0; i < count; i++) {
		cell_row(t, row[i], columns, ARRAY_LEN(columns));
		table_row_end(t);
	}
	table_print(t);
}

static void files_print(const struct json_node *root)
{
	largest_print(root, "files", "file");
}

static void sites_print(const struct json_node *root)
{
	static const struct cell_column columns[] = {{"data plane's site", "name", cell_text},
		{"memory", "account", cell_text}, {">bytes", "bytes", cell_bytes},
		{">blocks", "blocks", cell_count}};
	const struct json_node *list = json_get(json_get(root, "dataplane"), "sites");
	struct table *t = cell_table(columns, ARRAY_LEN(columns));

	largest_print(root, "sites", "site");
	for (size_t i = 0; i < json_length(list); i++) {
		cell_row(t, json_at(list, i), columns, ARRAY_LEN(columns));
		table_row_end(t);
	}
	printf("\n");
	table_print(t);
}

static int cmd_mem_files(struct ctl *c)
{
	return mem_show(c, files_print);
}

static int cmd_mem_sites(struct ctl *c)
{
	return mem_show(c, sites_print);
}

static void pages_cell(struct table *t, const struct json_node *n, const char *key)
{
	table_cell(t, "%s", json_flag(n, key) ? "huge" : "4 KiB");
}

static void regions_print(const struct json_node *root)
{
	static const char *const heads[] = {
		"region", ">bytes", ">resident", "pages", "mapped by", NULL};
	static const struct cell_column columns[] = {{"", "name", cell_text},
		{"", "bytes", cell_bytes}, {"", "resident", cell_bytes}, {"", "huge", pages_cell}};
	static const char *const from[][2] = {
		{"regions", "control plane"}, {"dataplane_regions", "data plane"}};
	struct table *t = table_new(heads);

	for (size_t k = 0; k < ARRAY_LEN(from); k++) {
		const struct json_node *list = json_get(root, from[k][0]);
		for (size_t i = 0; i < json_length(list); i++) {
			cell_row(t, json_at(list, i), columns, ARRAY_LEN(columns));
			table_cell(t, "%s", from[k][1]);
			table_row_end(t);
		}
	}
	table_print(t);
}

static int cmd_mem_regions(struct ctl *c)
{
	return mem_show(c, regions_print);
}

static const struct {
	const char *key, *name; // key of the object in the document; text for people
} processes[] = {{NULL, "control plane"}, {"dataplane", "data plane"}};

static void rows_add(struct table *t, const struct json_node *root, const char *list,
	const struct cell_column *columns, size_t count)
{
	for (size_t p = 0; p < ARRAY_LEN(processes); p++) {
		const struct json_node *of =
			processes[p].key ? json_get(root, processes[p].key) : root;
		const struct json_node *rows = of ? json_get(of, list) : NULL;
		for (size_t i = 0; i < json_length(rows); i++) {
			table_cell(t, "%s", processes[p].name);
			cell_row(t, json_at(rows, i), columns, count);
			table_row_end(t);
		}
	}
}

static void kinds_print(const struct json_node *root)
{
	static const char *const map_heads[] = {
		"process", "mappings", ">maps", ">address space", NULL};
	static const struct cell_column maps[] = {
		{"", "name", cell_text}, {"", "maps", cell_count}, {"", "bytes", cell_bytes}};
	static const char *const deleted_heads[] = {"process", "deleted, still mapped", ">files",
		">address space", ">stale", ">stale bytes", ">generations behind", NULL};
	static const struct cell_column deleted[] = {{"", "name", cell_text},
		{"", "files", cell_count}, {"", "bytes", cell_bytes}, {"", "stale", cell_count},
		{"", "stale_bytes", cell_bytes}, {"", "behind", cell_count}};
	static const char *const fd_heads[] = {"process", "descriptors", ">open", NULL};
	static const struct cell_column fds[] = {{"", "name", cell_text}, {"", "open", cell_count}};

	struct table *t = table_new(map_heads);
	rows_add(t, root, "mappings", maps, ARRAY_LEN(maps));
	table_print(t);
	printf("\n");
	t = table_new(deleted_heads);
	rows_add(t, root, "deleted_mappings", deleted, ARRAY_LEN(deleted));
	table_print(t);
	printf("\n");
	t = table_new(fd_heads);
	rows_add(t, root, "descriptors", fds, ARRAY_LEN(fds));
	table_print(t);
}

static int cmd_mem_kinds(struct ctl *c)
{
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	return show_doc(c, doc_fetch(c), kinds_print);
}

static void amount_cell(struct table *t, const struct json_node *n, const char *key)
{
	const char *unit = json_text(n, "unit");
	if (strcmp(unit, "bytes") == 0)
		table_cell(t, "%+.2f MiB", (double)json_signed(n, key) / 1048576);
	else
		table_cell(t, "%+" PRId64 " %s", json_signed(n, key), unit);
}

static void seconds_cell(struct table *t, const struct json_node *n, const char *key)
{
	char text[FIGURE_MAX];
	table_cell(t, "%s", figure_duration(1000 * json_count(n, key), text));
}

static void since_cell(struct table *t, const struct json_node *n, const char *key)
{
	char text[FIGURE_MAX];
	time_t at = (time_t)json_count(n, key), now = time(NULL);
	table_cell(t, "%s ago", figure_duration(now > at ? 1000 * (uint64_t)(now - at) : 0, text));
}

static void alarms_print(const struct json_node *root)
{
	static const struct cell_column columns[] = {{"process", "process", cell_text},
		{"kind", "kind", cell_text}, {"name", "name", cell_text},
		{">an hour", "per_hour", amount_cell}, {">gained", "gained", amount_cell},
		{">in", "over_s", seconds_cell}, {"raised", "since", since_cell},
		{"by", "by", cell_text}};
	const struct json_node *list = json_get(root, "alarms");
	if (json_length(list))
		cell_rows_print(list, columns, ARRAY_LEN(columns));
	else
		say(root, "nothing grows without an explanation; checked for {judged_s:s}, alarms "
			  "since the start {raised:n}\n");
	say_if(root, "left_out", "{left_out:n} alarms more\n");
}

static int cmd_mem_alarms(struct ctl *c)
{
	return show_call(c, false, "/mem/alarms", NULL, HTTP_SHORT_MS, alarms_print);
}

static void bill_print(const struct mem_plan *b, uint64_t can)
{
	static const char *const heads[] = {"memory", "of", ">at most", "by", "tables", NULL};
	static const char *const of[] = {"control plane", "data plane"};
	struct table *t = table_new(heads);
	char text[FIGURE_MAX];

	for (unsigned i = 0; i < b->count; i++) {
		table_cell(t, "%s", b->line[i].what);
		table_cell(t, "%s", of[b->line[i].of]);
		table_cell(t, "%s", figure_bytes(b->line[i].bytes, text));
		table_cell(t, "%s", b->line[i].by);
		table_cell(t, "%s", b->line[i].tables);
		table_row_end(t);
	}
	table_cell(t, "%s", "in all");
	table_cell(t, "%s", "both");
	table_cell(t, "%s", figure_bytes(b->total, text));
	table_cell(t, "%s", "");
	table_cell(t, "%s", "");
	table_row_end(t);
	table_print(t);
	printf("to be had: %s\n", figure_bytes(can, text));
}

static void bill_print_json(const struct mem_plan *b, uint64_t can)
{
	struct json_doc *doc = json_doc_new();
	struct json_node *root = json_doc_root(doc);
	struct json_node *list = json_put_array(root, "lines");
	for (unsigned i = 0; i < b->count; i++) {
		struct json_node *n = json_put_object(list, NULL);
		json_put_text(n, "name", b->line[i].what);
		json_put_text(n, "by", b->line[i].by);
		json_put_text(n, "tables", b->line[i].tables);
		json_put_text(n, "of",
			b->line[i].of == MEM_PLAN_DATAPLANE ? "dataplane" : "controlplane");
		json_put_count(n, "bytes", b->line[i].bytes);
	}
	json_put_count(root, "total", b->total);
	json_put_count(root, "controlplane", b->of[MEM_PLAN_CONTROLPLANE]);
	json_put_count(root, "dataplane", b->of[MEM_PLAN_DATAPLANE]);
	json_put_count(root, "available", can);
	json_put_bool(root, "fits", b->total <= can);
	json_doc_end(doc);
}

static int cmd_mem_plan(struct ctl *c)
{
	char why[CONFIG_WHY_MAX] = "";
	struct mem_plan plan;
	struct mem_room room;
	mem_room_read(&room);

	if (config_load_public(c->operand ? c->operand : c->config_path, &c->config, why) < 0)
		return ctl_fail(c, "%s", why);
	mem_plan_make(&plan, c->config);
	uint64_t can = mem_room_all(&room);
	if (c->json)
		bill_print_json(&plan, can);
	else
		bill_print(&plan, can);
	if (plan.total <= can)
		return CTL_OK;
	if (!c->json)
		fprintf(stderr, "weirctl: it does not fit\n");
	return CTL_FAILED;
}

enum { SLOPE_SECONDS = 3600 };

static void mib_cell(struct table *t, const struct json_node *n, const char *key)
{
	table_cell(t, "%.2f", (double)json_count(n, key) / 1048576);
}

static void per_hour_cell(struct table *t, const struct json_node *n, const char *key)
{
	table_cell(t, "%+.3f", (double)json_signed(n, key) / 1048576);
}

static void error_cell(struct table *t, const struct json_node *n, const char *key)
{
	if (json_flag(n, "known"))
		table_cell(t, "%.3f", (double)json_count(n, key) / 1048576);
	else
		table_cell(t, "?");
}

static void per_query_cell(struct table *t, const struct json_node *n, const char *key)
{
	if (json_get(n, key))
		table_cell(t, "%" PRId64, json_signed(n, key));
	else
		table_cell(t, "-");
}

static void bytes_print(const struct json_node *list)
{
	static const struct cell_column columns[] = {{"memory", "name", cell_text},
		{">MiB", "bytes", mib_cell}, {">MiB/h", "per_hour", per_hour_cell},
		{">+-", "plus_minus", error_cell},
		{">bytes/Mquery", "per_million_queries", per_query_cell}};
	cell_rows_print(list, columns, ARRAY_LEN(columns));
}

static void fills_print(const struct json_node *list)
{
	static const char *const heads[] = {"fills", ">used", ">cap", ">%", ">% of cap/h", NULL};
	struct table *t = NULL;
	for (size_t i = 0; i < json_length(list); i++) {
		const struct json_node *n = json_at(list, i);
		double cap = (double)json_count(n, "cap");
		if (!json_flag(n, "fills") || !(cap > 0))
			continue;
		if (!t)
			t = table_new(heads);
		cell_text(t, n, "name");
		cell_count(t, n, "used");
		cell_count(t, n, "cap");
		table_cell(t, "%.1f", 100 * (double)json_count(n, "used") / cap);
		table_cell(t, "%+.1f", 100 * (double)json_signed(n, "per_hour") / cap);
		table_row_end(t);
	}
	if (t) {
		printf("\n");
		table_print(t);
	}
}

static void slope_print(const struct json_node *root)
{
	say(root, "{span_ms:t} of samples, one each {sample_every_s:u} s, at {queries_per_s:n} "
		  "queries a second\n");
	if (json_flag(root, "steady"))
		printf("steady: every table is full, or as full as it was\n");
	else
		say(root, "not-steady: table {filling} fills; growth says nothing until it is "
			  "full\n");
	say_if(root, "alarm", "ALARM: {alarm_by} grows (weirctl mem alarms)\n");
	printf("\n");
	bytes_print(json_get(root, "bytes"));
	fills_print(json_get(root, "tables"));
}

static int cmd_mem_slope(struct ctl *c)
{
	char seconds[16];
	snprintf(seconds, sizeof(seconds), "%u",
		c->given & CTL_OPT_SECONDS ? c->seconds : (unsigned)SLOPE_SECONDS);
	const struct http_param params[] = {{"seconds", seconds}, {NULL, NULL}};
	return show_call(c, false, "/memory/slope", params, HTTP_SHORT_MS, slope_print);
}

static const char *when_text(uint64_t unix_s, char out[FIGURE_MAX])
{
	time_t at = (time_t)unix_s;
	struct tm tm;
	if (!localtime_r(&at, &tm) || !strftime(out, FIGURE_MAX, "%F %T", &tm))
		snprintf(out, FIGURE_MAX, "%" PRIu64, unix_s);
	return out;
}

static void when_cell(struct table *t, const struct json_node *n, const char *key)
{
	char text[FIGURE_MAX];
	table_cell(t, "%s", when_text(json_count(n, key), text));
}

static void rss_cell(struct table *t, const struct json_node *n, const char *key)
{
	table_cell(t, "%.1f", (double)json_count(n, key) / 1048576);
}

static void lives_print(const struct json_node *list)
{
	static const struct cell_column columns[] = {{">life", "number", cell_count},
		{"began", "started_unix_s", when_cell}, {">lasted", "uptime_ms", cell_duration},
		{">MiB at its end", "rss", rss_cell}, {">queries", "queries", cell_count},
		{"end", "end", cell_text}};
	cell_rows_print(list, columns, ARRAY_LEN(columns));
}

// Prints one line for each hour, its first row in the list.
static void minutes_print(const struct json_node *list)
{
	static const struct cell_column columns[] = {{"at", "unix_s", when_cell},
		{">life", "life", cell_count}, {">MiB", "bytes", mib_cell},
		{">queries", "queries", cell_count}};
	struct table *t = cell_table(columns, ARRAY_LEN(columns));
	uint64_t hour = UINT64_MAX;
	for (size_t i = 0; i < json_length(list); i++) {
		const struct json_node *n = json_at(list, i);
		if (json_count(n, "unix_s") / 3600 == hour)
			continue;
		hour = json_count(n, "unix_s") / 3600;
		cell_row(t, n, columns, ARRAY_LEN(columns));
		table_row_end(t);
	}
	printf("\n");
	table_print(t);
}

static void history_print(const struct json_node *root)
{
	printf("control plane\n");
	lives_print(json_get(root, "lives"));
	printf("\ndata plane\n");
	lives_print(json_get(root, "dataplane_lives"));
	minutes_print(json_get(root, "minutes"));
}

static int cmd_mem_history(struct ctl *c)
{
	const struct http_param params[] = {{"name", c->operand ? c->operand : ""}, {NULL, NULL}};
	return show_call(c, false, "/memory/history", params, HTTP_SHORT_MS, history_print);
}

static int cmd_mem_snapshot(struct ctl *c)
{
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	struct json_doc *doc = doc_fetch(c);
	if (!doc)
		return CTL_FAILED;
	int rc = doc_keep(c, c->operand, doc);
	if (rc == CTL_OK && c->json)
		json_doc_end(doc);
	return rc;
}

enum { GROWN_MAX = 2048 };

struct grown {
	const char *what, *name; // "account", "redis"
	int64_t before, after;
	bool counts; // the values are counts, not bytes
};

struct grown_list {
	size_t count;
	bool no_dataplane; // one document lacks the data plane, so its tables do not count
	struct grown row[GROWN_MAX];
};

static int64_t change(const struct grown *g)
{
	return g->after - g->before;
}

static void grown_add(
	struct grown_list *l, const char *what, const char *name, uint64_t before, uint64_t after)
{
	if (before == after || l->count == GROWN_MAX)
		return;
	if (l->no_dataplane && strcmp(what, "table") == 0 && strncmp(name, "dp_", 3) == 0)
		return;
	l->row[l->count++] = (struct grown){
		what, name, (int64_t)before, (int64_t)after, strstr(what, "descriptors")};
}

// How many entries of a list count, at most GROWN_MAX: a snapshot is a file with any contents, and
// each entry is searched for in the other document.
static size_t length_of(const struct json_node *list)
{
	return json_length(list) < GROWN_MAX ? json_length(list) : GROWN_MAX;
}

static const struct json_node *named(const struct json_node *list, const char *name)
{
	for (size_t i = 0; i < length_of(list); i++)
		if (strcmp(json_text(json_at(list, i), "name"), name) == 0)
			return json_at(list, i);
	return NULL;
}

// The sum over all entries with one name: parts of a function that the compiler has split.
static uint64_t sum_named(const struct json_node *list, const char *name, const char *value)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < length_of(list); i++)
		if (strcmp(json_text(json_at(list, i), "name"), name) == 0)
			sum += json_count(json_at(list, i), value);
	return sum;
}

// Adds `value` of each entry of the arrays `key`; an entry only in `a` has become 0.
static void grown_values_add(struct grown_list *l, const char *what, const char *key,
	const char *value, const struct json_node *a, const struct json_node *b)
{
	const struct json_node *before = json_get(a, key), *after = json_get(b, key);
	for (size_t i = 0; i < length_of(after); i++) {
		const struct json_node *n = json_at(after, i);
		const char *name = json_text(n, "name");
		if (named(after, name) == n)
			grown_add(l, what, name, sum_named(before, name, value),
				sum_named(after, name, value));
	}
	for (size_t i = 0; i < length_of(before); i++) {
		const struct json_node *n = json_at(before, i);
		const char *name = json_text(n, "name");
		if (!named(after, name) && named(before, name) == n)
			grown_add(l, what, name, sum_named(before, name, value), 0);
	}
}

static void grown_list_add(struct grown_list *l, const char *what, const char *key,
	const struct json_node *a, const struct json_node *b)
{
	grown_values_add(l, what, key, "bytes", a, b);
}

// Adds mappings and descriptors, if both documents have these lists.
static void grown_kinds_add(struct grown_list *l, const char *const what[3],
	const struct json_node *a, const struct json_node *b)
{
	if (!json_get(a, "mappings") || !json_get(b, "mappings"))
		return;
	grown_list_add(l, what[0], "mappings", a, b);
	grown_list_add(l, what[1], "deleted_mappings", a, b);
	grown_values_add(l, what[2], "descriptors", "open", a, b);
}

// Adds only numbers that both documents have: one that a snapshot of another version lacks was not
// 0.
static void grown_fields_add(struct grown_list *l, const char *what, const char *const *field,
	const struct json_node *a, const struct json_node *b)
{
	for (; *field; field++)
		if (json_get(a, *field) && json_get(b, *field))
			grown_add(l, what, *field, json_count(a, *field), json_count(b, *field));
}

// Was the data plane there, and reported, in both documents?
static bool has_dataplane(const struct json_node *a, const struct json_node *b)
{
	return json_get(a, "dataplane") && json_get(b, "dataplane");
}

static void grown_dataplane_add(
	struct grown_list *l, const struct json_node *a, const struct json_node *b)
{
	static const char *const fields[] = {"rss", "allocated", "held", "accounted", "libraries",
		"unexplained", "rss_heap", "rss_code", "rss_regions", "rss_stacks", "rss_other",
		"mapped", "huge", "swapped", NULL};
	const struct json_node *p = json_get(a, "dataplane"), *q = json_get(b, "dataplane");
	grown_fields_add(l, "dataplane", fields, p, q);
	grown_list_add(l, "dataplane account", "accounts", p, q);
	grown_list_add(l, "dataplane memory", "eal", p, q);
	grown_list_add(l, "dataplane region", "dataplane_regions", a, b);
	grown_kinds_add(l,
		(const char *const[]){"dataplane mappings", "dataplane deleted mappings",
			"dataplane descriptors"},
		p, q);
}

static void grown_process_add(
	struct grown_list *l, const struct json_node *a, const struct json_node *b)
{
	static const char *const fields[] = {"rss", "allocated", "held", "rss_heap", "rss_code",
		"rss_regions", "rss_stacks", "rss_other", "huge", "swapped", NULL};
	static const char *const sums[] = {"accounted", "unexplained", NULL};
	grown_fields_add(l, "process", fields, json_get(a, "process"), json_get(b, "process"));
	grown_fields_add(l, "process", sums, a, b);
	grown_kinds_add(
		l, (const char *const[]){"mappings", "deleted mappings", "descriptors"}, a, b);
}

static int grown_more_first(const void *a, const void *b)
{
	int64_t x = llabs(change(a)), y = llabs(change(b));
	return (x < y) - (x > y);
}

static struct grown_list *grown_find(const struct json_node *a, const struct json_node *b)
{
	struct grown_list *l = calloc(1, sizeof(*l));
	if (!l)
		return NULL;
	l->no_dataplane = !has_dataplane(a, b);
	grown_process_add(l, a, b);
	grown_list_add(l, "account", "accounts", a, b);
	grown_list_add(l, "file", "files", a, b);
	if (json_get(a, "sites") && json_get(b, "sites")) // format 1 has no sites
		grown_list_add(l, "site", "sites", a, b);
	grown_list_add(l, "table", "tables", a, b);
	grown_list_add(l, "region", "regions", a, b);
	if (!l->no_dataplane)
		grown_dataplane_add(l, a, b);
	qsort(l->row, l->count, sizeof(l->row[0]), grown_more_first);
	return l;
}

static void grown_print(const struct grown_list *l, double hours)
{
	static const char *const heads[] = {"", "", ">before", ">after", ">change", ">MiB/h", NULL};
	struct table *t = table_new(heads);
	char text[FIGURE_MAX];

	for (size_t i = 0; i < l->count; i++) {
		const struct grown *g = &l->row[i];
		table_cell(t, "%s", g->what);
		table_cell(t, "%s", g->name);
		table_cell_count(t, (uint64_t)g->before);
		table_cell_count(t, (uint64_t)g->after);
		table_cell(t, "%s%s", change(g) < 0 ? "-" : "+",
			figure_count((uint64_t)llabs(change(g)), text));
		if (hours > 0 && !g->counts)
			table_cell(t, "%.2f", (double)change(g) / (1 << 20) / hours);
		else
			table_cell(t, "%s", "");
		table_row_end(t);
	}
	table_print(t);
}

struct between { // between two documents
	int64_t seconds;
	bool restarted, has_dataplane, dataplane_restarted;
};

static void grown_print_json(const struct grown_list *l, const struct between *t)
{
	struct json_doc *doc = json_doc_new();
	struct json_node *root = json_doc_root(doc);
	json_put_real(root, "seconds", (double)t->seconds);
	json_put_bool(root, "restarted", t->restarted);
	json_put_bool(root, "has_dataplane", t->has_dataplane);
	json_put_bool(root, "dataplane_restarted", t->dataplane_restarted);
	struct json_node *list = json_put_array(root, "changes");
	for (size_t i = 0; i < l->count; i++) {
		struct json_node *n = json_put_object(list, NULL);
		json_put_text(n, "what", l->row[i].what);
		json_put_text(n, "name", l->row[i].name);
		json_put_count(n, "before", (uint64_t)l->row[i].before);
		json_put_count(n, "after", (uint64_t)l->row[i].after);
		json_put_real(n, "change", (double)change(&l->row[i]));
	}
	json_doc_end(doc);
}

static bool is_another(const struct json_node *a, const struct json_node *b, const char *process)
{
	return json_count(json_get(a, process), "pid") != json_count(json_get(b, process), "pid");
}

static int diff_print(const struct ctl *c, const struct json_node *a, const struct json_node *b)
{
	struct grown_list *l = grown_find(a, b);
	if (!l)
		return ctl_fail(c, "out of memory");
	const bool both = has_dataplane(a, b);
	const struct between t = {
		.seconds = (int64_t)json_count(b, "unix_s") - (int64_t)json_count(a, "unix_s"),
		.restarted = is_another(a, b, "process"),
		.has_dataplane = both,
		.dataplane_restarted = both && is_another(a, b, "dataplane")};
	if (c->json) {
		grown_print_json(l, &t);
	} else {
		char text[FIGURE_MAX];
		printf("%s between them%s%s%s\n\n",
			figure_duration(t.seconds > 0 ? (uint64_t)t.seconds * 1000 : 0, text),
			t.restarted ? ", and a restart" : "",
			t.dataplane_restarted ? ", and a restart of the data plane" : "",
			both ? "" : "; one of them knows nothing of the data plane");
		grown_print(l, (double)t.seconds / 3600);
	}
	free(l);
	return CTL_OK;
}

static int cmd_mem_diff(struct ctl *c)
{
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	struct json_doc *a = doc_kept(c, c->operand);
	struct json_doc *b = a && c->type ? doc_kept(c, c->type) : a ? doc_fetch(c) : NULL;
	int rc = b ? diff_print(c, json_doc_root(a), json_doc_root(b)) : CTL_FAILED;
	json_doc_free(a);
	json_doc_free(b);
	return rc;
}

CTL_COMMANDS = {
	{"mem", "tables", 0, 0, 0, cmd_mem_tables, "",
		"List every table, queue, pool and buffer: use, highest use, refusals."},
	{"mem", "alarms", 0, 0, 0, cmd_mem_alarms, "",
		"List what grows without an explanation: in both processes, and in which code."},
	{"mem", "accounts", 0, 0, 0, cmd_mem_accounts, "",
		"Show memory by subsystem: compared with the allocator and the kernel; the "
		"unaccounted rest."},
	{"mem", "files", 0, 0, 0, cmd_mem_files, "", "Show memory by source file."},
	{"mem", "sites", 0, 0, 0, cmd_mem_sites, "",
		"Show memory by allocation site: function (file:line), most bytes first."},
	{"mem", "regions", 0, 0, 0, cmd_mem_regions, "",
		"List shared memory and huge pages by name: as each process maps them."},
	{"mem", "kinds", 0, 0, 0, cmd_mem_kinds, "",
		"Count mappings and descriptors of each process by kind; deleted regions that are "
		"still mapped, too."},
	{"mem", "snapshot", 1, 1, CTL_OPT_LOCAL, cmd_mem_snapshot, "NAME",
		"Save a snapshot of all memory accounts as NAME."},
	{"mem", "plan", 0, 1, CTL_OPT_LOCAL, cmd_mem_plan, "[FILE]",
		"Compute the most memory that a configuration needs: FILE, or the one in use. Exit "
		"status 1: it does not fit."},
	{"mem", "diff", 1, 2, CTL_OPT_LOCAL, cmd_mem_diff, "A [B]",
		"Show the growth between two snapshots, or since A, largest first."},
	{"mem", "slope", 0, 0, CTL_OPT_SECONDS, cmd_mem_slope, "[--seconds S]",
		"Show memory growth, in total and by subsystem, over the last S seconds (3600)."},
	{"mem", "history", 0, 1, 0, cmd_mem_history, "[MEMORY]",
		"List the runs of the control plane: why each ended, and its memory (RSS) by the "
		"hour."},
};
