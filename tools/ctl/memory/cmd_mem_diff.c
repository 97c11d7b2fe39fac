// SPDX-License-Identifier: BSD-3-Clause
// Two looks at the memory of both processes, and what grew between them.

#include "lib/table_out.h"
#include "mem_doc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int cmd_mem_snapshot(struct ctl *c)
{
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	struct json_doc *doc = mem_doc_take(c);
	if (!doc)
		return CTL_FAILED;
	int rc = mem_doc_keep(c, c->operand, doc);
	if (rc == CTL_OK && c->json)
		json_doc_end(doc);
	return rc;
}

enum { GROWN_MAX = 2048 };

struct grown {
	const char *what, *name; // "account", "redis"
	int64_t before, after;
	bool counts; // they are no bytes
};

struct grown_list {
	size_t count;
	bool no_dataplane; // one of the two knows nothing of it: nor of its tables
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

// Of entries of a snapshot, which is a file: each is looked for in all of the other's.
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

// Entries of one name may be several: parts of a function that the compiler has split.
static uint64_t sum_named(const struct json_node *list, const char *name, const char *value)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < length_of(list); i++)
		if (strcmp(json_text(json_at(list, i), "name"), name) == 0)
			sum += json_count(json_at(list, i), value);
	return sum;
}

// `value` of each entry of the arrays `key`; one that is in `a` alone has become 0.
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

// Of a snapshot that has no such lists nothing is known.
static void grown_kinds_add(struct grown_list *l, const char *const what[3],
	const struct json_node *a, const struct json_node *b)
{
	if (!json_get(a, "mappings") || !json_get(b, "mappings"))
		return;
	grown_list_add(l, what[0], "mappings", a, b);
	grown_list_add(l, what[1], "deleted_mappings", a, b);
	grown_values_add(l, what[2], "descriptors", "open", a, b);
}

// Of numbers that both have: one that a snapshot of another version lacks was not 0.
static void grown_fields_add(struct grown_list *l, const char *what, const char *const *field,
	const struct json_node *a, const struct json_node *b)
{
	for (; *field; field++)
		if (json_get(a, *field) && json_get(b, *field))
			grown_add(l, what, *field, json_count(a, *field), json_count(b, *field));
}

// Was it there, and reported, in both samples?
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

static int larger_first(const void *a, const void *b)
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
	if (json_get(a, "sites") && json_get(b, "sites")) // format 1 has none
		grown_list_add(l, "site", "sites", a, b);
	grown_list_add(l, "table", "tables", a, b);
	grown_list_add(l, "region", "regions", a, b);
	if (!l->no_dataplane)
		grown_dataplane_add(l, a, b);
	qsort(l->row, l->count, sizeof(l->row[0]), larger_first);
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

struct between { // two looks
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

int cmd_mem_diff(struct ctl *c)
{
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	struct json_doc *a = mem_doc_kept(c, c->operand);
	struct json_doc *b = a && c->type ? mem_doc_kept(c, c->type) : a ? mem_doc_take(c) : NULL;
	int rc = b ? diff_print(c, json_doc_root(a), json_doc_root(b)) : CTL_FAILED;
	json_doc_free(a);
	json_doc_free(b);
	return rc;
}
