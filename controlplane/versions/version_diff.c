// SPDX-License-Identifier: BSD-3-Clause
#include "version_diff.h"

#include "diff_lines.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/heap_site.h>

enum { CONTEXT = 3 };

struct output {
	FILE *file;
	const char *from, *to;
	size_t bytes;
	bool is_cut;
};

static bool has_room(struct output *o, size_t len)
{
	o->bytes += len;
	if (!o->is_cut && o->bytes > VERSION_DIFF_BYTES_MAX) {
		o->is_cut = true;
		fprintf(o->file, "... and more: the difference is over %d bytes\n",
			VERSION_DIFF_BYTES_MAX);
	}
	return !o->is_cut;
}

static void line_write(struct output *o, char mark, const struct diff_line *l)
{
	if (has_room(o, l->len + 2))
		fprintf(o->file, "%c%.*s\n", mark, (int)l->len, l->text);
}

// A place in both texts, between two lines.
struct place {
	unsigned a, b;
};

static bool is_own(const struct diff_text *t, unsigned i)
{
	return i < t->count && t->line[i].is_own;
}

// Behind the next lines that are the same, `most` of them at most.
static struct place pass(
	const struct diff_text *a, const struct diff_text *b, struct place p, unsigned most)
{
	for (; most && p.a < a->count && p.b < b->count && !is_own(a, p.a) && !is_own(b, p.b);
		most--) {
		p.a++;
		p.b++;
	}
	return p;
}

static struct place pass_change(
	const struct diff_text *a, const struct diff_text *b, struct place p)
{
	while (is_own(a, p.a))
		p.a++;
	while (is_own(b, p.b))
		p.b++;
	return p;
}

static bool is_end(const struct diff_text *a, const struct diff_text *b, struct place p)
{
	return p.a >= a->count && p.b >= b->count;
}

// The end of the hunk whose first change is at `p`.
static struct place hunk_end(const struct diff_text *a, const struct diff_text *b, struct place p)
{
	for (;;) {
		p = pass_change(a, b, p);
		const struct place far = pass(a, b, p, 2 * CONTEXT + 1);
		if (far.a - p.a > 2 * CONTEXT || is_end(a, b, far))
			return pass(a, b, p, CONTEXT);
		p = far;
	}
}

static void hunk_write(struct output *o, const struct diff_text *a, const struct diff_text *b,
	struct place from, struct place to)
{
	if (has_room(o, CONTEXT * 16))
		fprintf(o->file, "@@ -%u,%u +%u,%u @@\n", from.a + (to.a > from.a), to.a - from.a,
			from.b + (to.b > from.b), to.b - from.b);
	while (from.a < to.a || from.b < to.b) {
		if (is_own(a, from.a) && from.a < to.a)
			line_write(o, '-', &a->line[from.a++]);
		else if (is_own(b, from.b) && from.b < to.b)
			line_write(o, '+', &b->line[from.b++]);
		else
			line_write(o, ' ', (from.b++, &a->line[from.a++]));
	}
}

static void hunks_write(
	struct output *o, const char *path, const struct diff_text *a, const struct diff_text *b)
{
	struct place p = {0, 0};
	bool any = false;
	for (;;) {
		const struct place change = pass(a, b, p, a->count + 1);
		if (is_end(a, b, change))
			return;
		const unsigned near = change.a - p.a < CONTEXT ? change.a - p.a : CONTEXT;
		const struct place begin = {change.a - near, change.b - near};
		if (!any && has_room(o, 2 * strlen(path)))
			fprintf(o->file, "--- %s (%s)\n+++ %s (%s)\n", path, o->from, path, o->to);
		any = true;
		p = hunk_end(a, b, change);
		hunk_write(o, a, b, begin, p);
	}
}

static int masked_write(struct output *o, const char *path, const char *from, const char *to)
{
	struct diff_text a = {0}, b = {0};
	int rc = diff_text_split(from, VERSION_DIFF_LINES, &a);
	if (rc == 0)
		rc = diff_text_split(to, VERSION_DIFF_LINES, &b);
	if (rc == 0)
		rc = diff_lines(&a, &b, VERSION_DIFF_STEPS);
	if (rc == 0)
		hunks_write(o, path, &a, &b);
	diff_text_free(&a);
	diff_text_free(&b);
	if (rc == -E2BIG && strcmp(from, to) != 0 && has_room(o, strlen(path)))
		fprintf(o->file, "%s differs and has over %d lines\n", path, VERSION_DIFF_LINES);
	return rc == -E2BIG ? 0 : rc;
}

static int text_write(struct output *o, const struct config_text *a, const struct config_text *b)
{
	const char *path = a && a->bytes ? a->path : b->path;
	char *from = a && a->bytes ? config_mask(a->bytes, a->len) : heap_strdup("");
	char *to = b && b->bytes ? config_mask(b->bytes, b->len) : heap_strdup("");
	int rc = from && to ? masked_write(o, path, from, to) : -ENOMEM;
	heap_free(from);
	heap_free(to);
	return rc;
}

static const struct config_text *included_find(const struct config_bundle *b, const char *path)
{
	for (unsigned i = 0; i < b->included_count; i++)
		if (strcmp(b->included[i].path, path) == 0)
			return &b->included[i];
	return NULL;
}

static int bundles_write(
	struct output *o, const struct config_bundle *a, const struct config_bundle *b)
{
	int rc = text_write(o, &a->main, &b->main);
	for (unsigned i = 0; rc == 0 && i < a->included_count; i++)
		rc = text_write(o, &a->included[i], included_find(b, a->included[i].path));
	for (unsigned i = 0; rc == 0 && i < b->included_count; i++)
		if (!included_find(a, b->included[i].path))
			rc = text_write(o, NULL, &b->included[i]);
	if (rc == 0 && (a->managed.bytes || b->managed.bytes))
		rc = text_write(o, &a->managed, &b->managed);
	return rc;
}

char *version_diff(const struct config_bundle *a, const struct config_bundle *b, const char *from,
	const char *to)
{
	char *text = NULL;
	size_t len;
	struct output o = {.file = open_memstream(&text, &len), .from = from, .to = to};
	if (!o.file)
		return NULL;
	int rc = bundles_write(&o, a, b);
	if (fclose(o.file) == 0 && rc == 0)
		return text;
	heap_free(text);
	return NULL;
}
