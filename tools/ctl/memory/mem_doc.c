// SPDX-License-Identifier: BSD-3-Clause
#include "mem_doc.h"

#include "lib/ctl.h"
#include "lib/figure.h"
#include "lib/http_get.h"
#include "lib/json_doc.h"
#include "terminal/term_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/mem_account.h>
#include <weir/own_file.h>
#include <weir/stats_read.h>

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

// What DPDK has reserved, and who has it of that.
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

// weir's regions may be in huge pages while DPDK's memory is not: that is a memfd each.
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
	return mem_doc_above(heap, m->unexplained) + (mapped < dpdk ? mapped : dpdk) + p->rss_code
	       + p->rss_regions + p->rss_stacks + p->rss_other;
}

// Pages without a file that neither the allocator nor stacks have: what libraries map for
// themselves.
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
	uint64_t mapped = mem_doc_above(p.rss_heap, s->memory.held);
	json_put_count(n, "mapped", mapped);
	json_put_bool(n, "mapped_alarm", mem_is_alarming(&p, mapped));
	json_put_count(n, "explained", explained(&p, s, mapped));
}

// The same columns as sites of the control plane have in GET /mem, as far as they are known.
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

// The same lists as GET /mem has of the control plane.
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
		mem_doc_line(json_text(n, "name"), json_count(n, "bytes"), json_text(n, "text"));
	}
}

static void regions_print(const struct json_node *root)
{
	char shown[128];
	const struct json_node *list = json_get(root, "dataplane_regions");
	for (size_t i = 0; i < json_length(list); i++) {
		const struct json_node *r = json_at(list, i);
		mem_doc_line(term_text(json_text(r, "name"), shown, sizeof(shown)),
			json_count(r, "resident"), json_flag(r, "huge") ? "huge pages" : "");
	}
}

void mem_doc_dataplane_print(const struct json_node *root)
{
	static const char much[] = "ALARM: that is too much";
	const struct json_node *n = json_get(root, "dataplane");
	if (!n)
		return;
	printf("\ndata plane: heap\n");
	lines(json_get(n, "accounts"));
	mem_doc_line(
		"libraries", json_count(n, "libraries"), "DPDK and others, when all had started");
	mem_doc_line("unexplained", json_count(n, "unexplained"),
		json_flag(n, "alarm") ? much : "of what came later");
	mem_doc_line("allocated", json_count(n, "allocated"), "");
	printf("\ndata plane: DPDK's memory\n");
	lines(json_get(n, "eal"));
	printf("\ndata plane: resident set\n");
	regions_print(root);
	mem_doc_line("code", json_count(n, "rss_code"), "programs and libraries, with their data");
	mem_doc_line("stacks", json_count(n, "rss_stacks"), "of threads");
	mem_doc_line("allocator's pages",
		mem_doc_above(json_count(n, "rss_heap"), json_count(n, "mapped")), "heap");
	mem_doc_line("other pages", json_count(n, "mapped"),
		json_flag(n, "mapped_alarm") ? much : "mapped by libraries");
	mem_doc_explained(json_count(n, "explained"), json_count(n, "rss"));
	mem_doc_line("in all", json_count(n, "rss"), "");
	mem_doc_line("huge pages", json_count(n, "huge"), "not in the resident set");
}

struct json_doc *mem_doc_take(const struct ctl *c)
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

int mem_doc_keep(const struct ctl *c, const char *name, const struct json_doc *doc)
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

struct json_doc *mem_doc_kept(const struct ctl *c, const char *name)
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

void mem_doc_line(const char *name, uint64_t bytes, const char *text)
{
	char shown[FIGURE_MAX];
	printf("  %-24s %12s  %s\n", name, figure_bytes(bytes, shown), text);
}

void mem_doc_explained(uint64_t bytes, uint64_t rss)
{
	char text[64];
	snprintf(text, sizeof(text), "%.1f %% of the resident set",
		rss ? 100.0 * (double)bytes / (double)rss : 0);
	mem_doc_line("explained", bytes, text);
}

uint64_t mem_doc_above(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}
