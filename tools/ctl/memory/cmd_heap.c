// SPDX-License-Identifier: BSD-3-Clause
// Heap profiles of the control plane: taken here, compared in cmd_heap_diff.c.

#include "lib/cell.h"
#include "lib/say.h"
#include "lib/show.h"
#include "lib/table_out.h"
#include "terminal/term_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RATE_MS = 1000, PEERS_MAX = 1024 };

static void sleep_ms(unsigned ms)
{
	struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

static double rate(const struct json_node *a, const struct json_node *b, const char *key)
{
	uint64_t ms = json_count(b, "monotonic_ms") - json_count(a, "monotonic_ms");
	return ms ? (double)(json_count(b, key) - json_count(a, key)) * 1000 / (double)ms : 0;
}

static void status_print(const struct json_node *before, const struct json_node *now)
{
	static const struct {
		const char *key, *text;
	} rows[] = {
		{"allocated", "by the program"},
		{"active", "pages that this is in"},
		{"resident", "of the allocator, in memory"},
		{"metadata", "its own"},
		{"threads_cached", "kept by threads for their next allocations"},
		{"profiler", "of the profile: what sampled blocks take beyond their sizes"},
		{"retained", "address space without memory"},
		{"anonymous", "pages of the process that nobody else has"},
		{"rss", "pages of the process, shared ones too"},
	};
	static const char *const heads[] = {"", ">", "", NULL};
	char text[FIGURE_MAX], other[FIGURE_MAX];
	struct table *t = table_new(heads);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		table_cell(t, "%s", rows[i].key);
		table_cell(t, "%s", figure_bytes(json_count(now, rows[i].key), text));
		table_cell(t, "%s", rows[i].text);
		table_row_end(t);
	}
	table_print(t);
	say(now, "\nallocator     {allocator}\n");
	printf("allocations   %s a second, %s out\n", figure_rate(rate(before, now, "made"), text),
		figure_count(json_count(now, "allocations") - json_count(now, "frees"), other));
	if (!say_if(now, "profiles", "profile       on, one sample in {sample:b}\n"))
		printf("profile       %s\n",
			json_flag(now, "can_profile") ? "off" : "this build has none");
}

int cmd_heap_status(struct ctl *c)
{
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	struct json_doc *before = http_call_or_fail(c, false, "/heap", NULL, HTTP_SHORT_MS);
	if (!before)
		return CTL_FAILED;
	if (c->json) {
		json_doc_print(before);
		json_doc_free(before);
		return CTL_OK;
	}
	sleep_ms(RATE_MS);
	struct json_doc *now = http_call_or_fail(c, false, "/heap", NULL, HTTP_SHORT_MS);
	if (now)
		status_print(json_doc_root(before), json_doc_root(now));
	json_doc_free(before);
	json_doc_free(now);
	return now ? CTL_OK : CTL_FAILED;
}

// A power of two between its bounds, for what the command line says in bytes.
static const char *sample_lg(const char *bytes, char out[8])
{
	uint64_t n = 0;
	unsigned lg = 0;
	for (const char *p = bytes; *p; p++) {
		if (*p < '0' || *p > '9' || n > UINT32_MAX)
			return NULL;
		n = n * 10 + (uint64_t)(*p - '0');
	}
	while (n >> (lg + 1))
		lg++;
	if (n != (uint64_t)1 << lg)
		return NULL;
	snprintf(out, 8, "%u", lg);
	return out;
}

static void on_print(const struct json_node *)
{
	printf("the heap is profiled; at another rate than before, earlier allocations are not in "
	       "the "
	       "profile\n");
}

int cmd_heap_on(struct ctl *c)
{
	char lg[8];
	const bool is_default = c->operand && strcmp(c->operand, "default") == 0;
	const char *value = c->operand ? sample_lg(c->operand, lg) : "16";
	if (!value && !is_default) {
		fprintf(stderr, "weirctl: heap on takes a power of two, in bytes, or default\n");
		return CTL_USAGE;
	}
	const struct http_param params[] = {{"sample_lg", value}, {NULL, NULL}};
	return show_call(c, true, "/heap/on", is_default ? NULL : params, HTTP_SHORT_MS, on_print);
}

static void off_print(const struct json_node *)
{
	printf("the heap is no longer profiled\n");
}

int cmd_heap_off(struct ctl *c)
{
	return show_call(c, true, "/heap/off", NULL, HTTP_SHORT_MS, off_print);
}

int cmd_heap_dump(struct ctl *c)
{
	char shown[256];
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	FILE *file = fopen(c->operand, "wxe");
	if (!file)
		return ctl_fail(
			c, "%s: %s", term_text(c->operand, shown, sizeof(shown)), strerror(errno));
	int rc = http_save(c, "/debug/heap", HTTP_FLUSH_MS, file);
	if (fclose(file) != 0 && rc == CTL_OK)
		rc = ctl_fail(
			c, "%s: %s", term_text(c->operand, shown, sizeof(shown)), strerror(errno));
	if (rc != CTL_OK)
		(void)remove(c->operand);
	return rc;
}

static void number_cell(struct table *t, const struct json_node *n, const char *key)
{
	table_cell(t, "%llu", json_count(n, key));
}

static void seconds_cell(struct table *t, const struct json_node *n, const char *key)
{
	table_cell(t, "%.2f", (double)json_count(n, key) / 1000);
}

static void threads_print(const struct json_node *root)
{
	static const struct cell_column columns[] = {{">id", "id", number_cell},
		{"name", "name", cell_text}, {"state", "state", cell_text},
		{">CPU s", "cpu_ms", seconds_cell}, {">waits", "waits", cell_count},
		{">preempted", "preempted", cell_count}};
	cell_rows_print(json_get(root, "threads"), columns, ARRAY_LEN(columns));
}

int cmd_threads(struct ctl *c)
{
	return show_call(c, false, "/threads", NULL, HTTP_SHORT_MS, threads_print);
}

static int more_sockets_first(const void *a, const void *b)
{
	const struct json_node *const *x = a, *const *y = b;
	uint64_t of_x = json_count(*x, "sockets"), of_y = json_count(*y, "sockets");
	return (of_x < of_y) - (of_x > of_y);
}

static void peer_row(struct table *t, const struct json_node *n, const char *kind, const char *peer)
{
	table_cell_count(t, json_count(n, "sockets"));
	table_cell(t, "%s", kind);
	table_cell(t, "%s", peer);
	table_cell_count(t, json_count(n, "unread"));
	table_cell_count(t, json_count(n, "unsent"));
	table_row_end(t);
}

// Of all sockets, also of those that the list has no room for.
static void peers_print(const struct json_node *root)
{
	static const char *const heads[] = {">sockets", "kind", "peer", ">unread", ">unsent", NULL};
	const struct json_node *list = json_get(root, "peers"), *peer[PEERS_MAX];
	const struct json_node *others = json_get(root, "other_peers");
	struct table *t = table_new(heads);
	size_t count = json_length(list) < PEERS_MAX ? json_length(list) : PEERS_MAX;
	for (size_t i = 0; i < count; i++)
		peer[i] = json_at(list, i);
	qsort(peer, count, sizeof(peer[0]), more_sockets_first);
	if (json_count(others, "sockets"))
		peer_row(t, others, "", "of further peers");
	for (size_t i = 0; i < count; i++)
		peer_row(t, peer[i], json_text(peer[i], "kind"), json_text(peer[i], "peer"));
	printf("\n");
	table_print(t);
}

static void connections_print(const struct json_node *root)
{
	static const struct cell_column columns[] = {{">fd", "fd", number_cell},
		{"kind", "kind", cell_text}, {"local", "local", cell_text},
		{"peer", "peer", cell_text}, {">unread", "unread", cell_count},
		{">unsent", "unsent", cell_count}};
	cell_rows_print(json_get(root, "sockets"), columns, ARRAY_LEN(columns));
	peers_print(root);
	say(root, "\n{open_files:u} open files, {open_sockets:u} of them sockets, {listed:u} "
		  "listed\n");
}

int cmd_connections(struct ctl *c)
{
	return show_call(c, false, "/connections", NULL, HTTP_SHORT_MS, connections_print);
}
