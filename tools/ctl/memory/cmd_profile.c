// SPDX-License-Identifier: BSD-3-Clause
// Profiles of the control plane: CPU time, allocations, what threads do. As a file for pprof, or as
// tables.

#include "heap_diff.h"
#include "lib/ctl.h"
#include "lib/http_get.h"
#include "lib/json_doc.h"
#include "lib/table_out.h"
#include "pprof_out.h"
#include "terminal/term_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	SECONDS = 30,
	SECONDS_MAX = 100,
	ROWS = 24,
	STACK_TEXT = HEAP_DIFF_FRAMES * SYMBOL_NAME_MAX
};

static const char *stack_text(const struct heap_growth *g, char out[STACK_TEXT])
{
	size_t len = 0;
	out[0] = '\0';
	for (unsigned i = 0; i < g->depth && len < STACK_TEXT; i++)
		len += (size_t)snprintf(
			out + len, STACK_TEXT - len, "%s%s", i ? " < " : "", g->stack[i]);
	return out;
}

// What is in the function itself.
static double self_of(const struct heap_diff *d, const char *function)
{
	double sum = 0;
	for (unsigned i = 0; i < d->count; i++)
		if (d->growth[i].depth && strcmp(d->growth[i].stack[0], function) == 0)
			sum += d->growth[i].bytes;
	return sum;
}

static const char *figure(enum heap_kind kind, double n, char out[FIGURE_MAX])
{
	if (kind == HEAP_CPU)
		snprintf(out, FIGURE_MAX, "%.2f s", n / 1e6);
	else
		figure_bytes(n < 9e18 ? (uint64_t)n : (uint64_t)9e18, out);
	return out;
}

static void functions_print(
	enum heap_kind kind, const struct heap_diff *d, const struct heap_diff *by)
{
	static const char *const heads[] = {">self", ">with calls", "function", NULL};
	char text[FIGURE_MAX];
	printf("%s in all\n\n", figure(kind, d->bytes, text));
	struct table *t = table_new(heads);
	for (unsigned i = 0; i < by->count && i < ROWS; i++) {
		const char *name = by->growth[i].stack[0];
		table_cell(t, "%s", figure(kind, self_of(d, name), text));
		table_cell(t, "%s", figure(kind, by->growth[i].bytes, text));
		table_cell(t, "%s", name);
		table_row_end(t);
	}
	table_print(t);
}

static void profile_json(enum heap_kind kind, const struct heap_diff *d, const struct heap_diff *by)
{
	char text[STACK_TEXT];
	struct json_doc *doc = json_doc_new();
	struct json_node *root = json_doc_root(doc);
	json_put_text(root, "unit", kind == HEAP_CPU ? "us" : "bytes");
	json_put_real(root, "total", d->bytes);
	struct json_node *list = json_put_array(root, "functions");
	for (unsigned i = 0; i < by->count; i++) {
		struct json_node *n = json_put_object(list, NULL);
		json_put_text(n, "function", by->growth[i].stack[0]);
		json_put_real(n, "self", self_of(d, by->growth[i].stack[0]));
		json_put_real(n, "total", by->growth[i].bytes);
	}
	list = json_put_array(root, "stacks");
	for (unsigned i = 0; i < d->count; i++) {
		struct json_node *n = json_put_object(list, NULL);
		json_put_real(n, "total", d->growth[i].bytes);
		json_put_real(n, "count", d->growth[i].blocks);
		json_put_text(n, "stack", stack_text(&d->growth[i], text));
	}
	json_doc_end(doc);
}

// One thread at a time, so that equal stacks stay apart.
static int threads_show(const struct ctl *c, const struct heap_text *h, struct symbols *symbols)
{
	char text[STACK_TEXT], shown[STACK_TEXT];
	struct json_doc *doc = c->json ? json_doc_new() : NULL;
	struct json_node *list = doc ? json_put_array(json_doc_root(doc), "threads") : NULL;
	struct heap_text *one = malloc(sizeof(*one));
	int err = one ? 0 : -ENOMEM;
	for (unsigned i = 0; err == 0 && i < h->stack_count; i++) {
		struct heap_diff d;
		*one = *h;
		one->stack = &h->stack[i];
		one->stack_count = 1;
		err = heap_diff_make(&d, NULL, one, symbols);
		if (err < 0)
			break;
		stack_text(&d.growth[0], text);
		heap_diff_free(&d);
		if (list) {
			struct json_node *n = json_put_object(list, NULL);
			json_put_text(n, "thread", h->stack[i].label);
			json_put_text(n, "stack", text);
			continue;
		}
		printf("%s\n", term_text(h->stack[i].label, shown, sizeof(shown)));
		printf("    %s\n", term_text(text, shown, sizeof(shown)));
	}
	free(one);
	if (doc)
		json_doc_end(doc);
	return err;
}

static int profile_show(const struct ctl *c, const struct heap_text *h)
{
	struct heap_diff d = {0}, by = {0};
	struct symbols *symbols = symbols_new();
	int err;
	if (h->kind == HEAP_THREADS) {
		err = threads_show(c, h, symbols);
	} else {
		err = heap_diff_make(&d, NULL, h, symbols);
		if (err == 0)
			err = heap_diff_cumulate(&by, &d);
		if (err == 0 && c->json)
			profile_json(h->kind, &d, &by);
		else if (err == 0)
			functions_print(h->kind, &d, &by);
		heap_diff_free(&by);
		heap_diff_free(&d);
	}
	symbols_free(symbols);
	return err < 0 ? ctl_fail(c, "%s", strerror(-err)) : CTL_OK;
}

// Each thread by itself, with its name.
static int threads_put(struct pprof_out *p, const struct heap_text *h, struct symbols *symbols)
{
	struct heap_text *one = malloc(sizeof(*one));
	int err = one ? 0 : -ENOMEM;
	for (unsigned i = 0; err == 0 && i < h->stack_count; i++) {
		struct heap_diff d;
		*one = *h;
		one->stack = &h->stack[i];
		one->stack_count = 1;
		err = heap_diff_make(&d, NULL, one, symbols);
		if (err == 0 && d.count)
			pprof_out_sample(p, &d.growth[0], h->stack[i].label);
		if (err == 0)
			heap_diff_free(&d);
	}
	free(one);
	return err;
}

static int pprof_write(const struct heap_text *h, FILE *f)
{
	struct heap_diff d = {0};
	struct symbols *symbols = symbols_new();
	struct pprof_out *p = pprof_out_new(h->kind, f);
	int err = !p                        ? -ENOMEM
		  : h->kind == HEAP_THREADS ? threads_put(p, h, symbols)
					    : heap_diff_make(&d, NULL, h, symbols);
	for (unsigned i = 0; err == 0 && i < d.count; i++)
		pprof_out_sample(p, &d.growth[i], NULL);
	int ended = p ? pprof_out_end(p) : 0;
	heap_diff_free(&d);
	symbols_free(symbols);
	return err ? err : ended;
}

// The profile as tables, or, with `f`, in pprof's own format there.
static int parsed_show(
	const struct ctl *c, const char *path, unsigned timeout_ms, bool is_cpu, FILE *to)
{
	struct heap_text *h = NULL;
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	if (!f)
		return ctl_fail(c, "%s", strerror(errno));
	int rc = http_save(c, path, timeout_ms, f);
	int err = fclose(f) == 0 ? 0 : -ENOMEM;
	if (rc == CTL_OK && err == 0)
		err = is_cpu ? heap_text_read_cpu(&h, text, len) : heap_text_read(&h, text);
	if (rc == CTL_OK && err == 0 && to)
		err = pprof_write(h, to);
	if (rc == CTL_OK && err < 0)
		rc = ctl_fail(c, "profile: %s", strerror(-err));
	else if (rc == CTL_OK && !to)
		rc = profile_show(c, h);
	heap_text_free(h);
	free(text);
	return rc;
}

static bool is_pprof(const char *name)
{
	size_t len = strlen(name);
	return len > 3 && strcmp(name + len - 3, ".pb") == 0;
}

static int file_save(const struct ctl *c, const char *path, unsigned timeout_ms, bool is_cpu)
{
	char shown[256];
	FILE *f = fopen(c->output, "wxe");
	int rc = !f                    ? CTL_FAILED
		 : is_pprof(c->output) ? parsed_show(c, path, timeout_ms, is_cpu, f)
				       : http_save(c, path, timeout_ms, f);
	if (!f || (fclose(f) != 0 && rc == CTL_OK))
		rc = ctl_fail(
			c, "%s: %s", term_text(c->output, shown, sizeof(shown)), strerror(errno));
	if (f && rc != CTL_OK)
		(void)remove(c->output);
	return rc;
}

int cmd_profile(struct ctl *c)
{
	const bool is_cpu = strcmp(c->operand, "cpu") == 0;
	unsigned seconds = c->given & CTL_OPT_SECONDS ? c->seconds : SECONDS;
	char path[64];
	if (!is_cpu && strcmp(c->operand, "alloc") != 0 && strcmp(c->operand, "threads") != 0) {
		fprintf(stderr, "weirctl: profile takes cpu, alloc or threads\n");
		return CTL_USAGE;
	}
	if (!seconds || seconds > SECONDS_MAX) {
		fprintf(stderr, "weirctl: --seconds takes 1 to %d\n", SECONDS_MAX);
		return CTL_USAGE;
	}
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	if (is_cpu)
		snprintf(path, sizeof(path), "/profile/cpu?seconds=%u", seconds);
	else
		snprintf(path, sizeof(path), "/profile/%s", c->operand);
	unsigned timeout_ms = (is_cpu ? seconds * 1000 : 0) + HTTP_FLUSH_MS;
	return c->output ? file_save(c, path, timeout_ms, is_cpu)
			 : parsed_show(c, path, timeout_ms, is_cpu, NULL);
}
