// SPDX-License-Identifier: BSD-3-Clause
#include "version_diff.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <weir/heap_site.h>

// Which lines of two texts are not in both: Myers' greedy algorithm. Any thread.

struct diff_line {
	const char *text;
	size_t len;  // bytes without the line feed
	bool is_own; // the line is not in the other text
};

struct diff_text {
	struct diff_line *line;
	unsigned count;
};

// Splits a text into lines, which point into it. -ENOMEM; -E2BIG: over `most` lines.
static int diff_text_split(const char *text, unsigned most, struct diff_text *out)
{
	unsigned count = 0;
	for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n')
		count++;
	*out = (struct diff_text){0};
	if (count > most)
		return -E2BIG;
	out->line = heap_calloc(count + 1, sizeof(*out->line));
	if (!out->line)
		return -ENOMEM;
	for (const char *p = text; *p;) {
		const size_t len = strcspn(p, "\n");
		out->line[out->count++] = (struct diff_line){.text = p, .len = len};
		p += len + (p[len] == '\n');
	}
	return 0;
}

static void diff_text_free(struct diff_text *t)
{
	FREE_AND_NULL(t->line);
	t->count = 0;
}

static bool same(const struct diff_line *a, const struct diff_line *b)
{
	return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

struct search {
	struct diff_line *a, *b; // lines without the common ones at both ends
	int n, m, steps;
	int *reach;  // diagonals from -steps - 1 to steps + 1: lines of `a` passed
	int **trace; // copies of `reach` before each step, from -step - 1 to step + 1
};

static int *at(const struct search *s, int diagonal)
{
	return &s->reach[s->steps + 1 + diagonal];
}

// Extends diagonal `k` in step `d`. True: the end of both texts is reached.
static bool extend(const struct search *s, int d, int k)
{
	int x = k == -d || (k != d && *at(s, k - 1) < *at(s, k + 1)) ? *at(s, k + 1)
								     : *at(s, k - 1) + 1;
	while (x < s->n && x - k < s->m && same(&s->a[x], &s->b[x - k]))
		x++;
	*at(s, k) = x;
	return x >= s->n && x - k >= s->m;
}

// Finds the number of edits. -ENOMEM; -E2BIG: over `steps`.
static int steps_find(const struct search *s)
{
	for (int d = 0; d <= s->steps; d++) {
		const size_t size = (2 * (size_t)d + 3) * sizeof(int);
		s->trace[d] = heap_malloc(size);
		if (!s->trace[d])
			return -ENOMEM;
		memcpy(s->trace[d], at(s, -d - 1), size);
		for (int k = -d; k <= d; k += 2)
			if (extend(s, d, k))
				return d;
	}
	return -E2BIG;
}

static void mark(const struct search *s, int d)
{
	int x = s->n, y = s->m;
	for (; d > 0; d--) {
		const int *reach = s->trace[d] + d + 1, k = x - y;
		const bool is_down = k == -d || (k != d && reach[k - 1] < reach[k + 1]);
		const int before = is_down ? k + 1 : k - 1;
		x = reach[before];
		y = x - before;
		if (is_down)
			s->b[y].is_own = true;
		else
			s->a[x].is_own = true;
	}
}

static int search_run(struct search *s)
{
	s->reach = heap_calloc(2 * (size_t)s->steps + 3, sizeof(*s->reach));
	s->trace = heap_calloc((size_t)s->steps + 1, sizeof(*s->trace));
	int rc = s->reach && s->trace ? steps_find(s) : -ENOMEM;
	if (rc >= 0)
		mark(s, rc);
	for (int d = 0; s->trace && d <= s->steps; d++)
		FREE_AND_NULL(s->trace[d]);
	FREE_AND_NULL(s->trace);
	FREE_AND_NULL(s->reach);
	return rc;
}

// Sets is_own. With more than `steps` edits, sets it for all lines between the first and the last
// that differ. -ENOMEM.
static int diff_lines(struct diff_text *a, struct diff_text *b, unsigned steps)
{
	unsigned head = 0, tail = 0;
	while (head < a->count && head < b->count && same(&a->line[head], &b->line[head]))
		head++;
	while (tail < a->count - head && tail < b->count - head
		&& same(&a->line[a->count - 1 - tail], &b->line[b->count - 1 - tail]))
		tail++;
	struct search s = {.a = a->line + head,
		.b = b->line + head,
		.n = (int)(a->count - head - tail),
		.m = (int)(b->count - head - tail)};
	s.steps = s.n + s.m < (int)steps ? s.n + s.m : (int)steps;
	int rc = s.n && s.m ? search_run(&s) : -E2BIG;
	for (int i = 0; rc == -E2BIG && i < s.n; i++)
		s.a[i].is_own = true;
	for (int i = 0; rc == -E2BIG && i < s.m; i++)
		s.b[i].is_own = true;
	return rc == -ENOMEM ? rc : 0;
}

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

// Passes lines that both texts have, at most `most`.
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
	if (rc == 0 && (a->shared.bytes || b->shared.bytes))
		rc = text_write(o, &a->shared, &b->shared);
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
