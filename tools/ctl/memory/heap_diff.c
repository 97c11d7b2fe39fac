// SPDX-License-Identifier: BSD-3-Clause
#include "heap_diff.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Functions that allocate for others.
static bool is_allocator(const char *path, const char *name)
{
	static const char *const names[] = {"heap_malloc_at", "heap_calloc_at", "heap_realloc_at",
		"heap_reallocarray_at", "heap_aligned_alloc_at", "heap_strdup_at",
		"heap_strndup_at", "malloc", "calloc", "realloc", "strdup", "strndup", "__strdup",
		"__strndup"};
	if (strstr(path, "/libjemalloc."))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

// A return address stands behind its call, which may be the last of its function.
static bool frame_name(const struct heap_text *h, struct symbols *symbols, uint64_t address,
	char out[SYMBOL_NAME_MAX])
{
	const struct heap_map *m = heap_text_map(h, address - 1);
	if (!m) {
		snprintf(out, SYMBOL_NAME_MAX, "0x%llx", (unsigned long long)address);
		return true;
	}
	symbols_name(symbols, m->path, address - 1 - m->start + m->offset, out);
	return h->kind > HEAP_ALLOCATED || !is_allocator(m->path, out);
}

static int growth_fill(struct heap_growth *g, const struct heap_text *h, const struct heap_stack *s,
	struct symbols *symbols)
{
	char name[SYMBOL_NAME_MAX];
	for (unsigned i = 0; i < s->depth && g->depth < HEAP_DIFF_FRAMES; i++) {
		if (!frame_name(h, symbols, s->frame[i], name))
			continue;
		g->stack[g->depth] = strdup(name);
		if (!g->stack[g->depth])
			return -ENOMEM;
		g->depth++;
	}
	return 0;
}

static int side_add(
	struct heap_diff *d, const struct heap_text *h, struct symbols *symbols, bool before)
{
	for (unsigned i = 0; h && i < h->stack_count; i++) {
		const struct heap_stack *s = &h->stack[i];
		struct heap_growth *g = &d->growth[d->count++];
		*(before ? &g->bytes_before : &g->bytes) = s->bytes;
		*(before ? &g->blocks_before : &g->blocks) = s->blocks;
		*(before ? &d->bytes_before : &d->bytes) += s->bytes;
		int rc = growth_fill(g, h, s, symbols);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int stack_compare(const void *a, const void *b)
{
	const struct heap_growth *x = a, *y = b;
	for (unsigned i = 0; i < x->depth && i < y->depth; i++) {
		int c = strcmp(x->stack[i], y->stack[i]);
		if (c)
			return c;
	}
	return (x->depth > y->depth) - (x->depth < y->depth);
}

static int growth_compare(const void *a, const void *b)
{
	const struct heap_growth *x = a, *y = b;
	if (x->is_made_again != y->is_made_again)
		return x->is_made_again - y->is_made_again;
	double p = x->bytes - x->bytes_before, q = y->bytes - y->bytes_before;
	return (p < q) - (p > q);
}

static void growth_clear(struct heap_growth *g)
{
	for (unsigned i = 0; i < g->depth; i++)
		free(g->stack[i]);
	g->depth = 0;
}

// Equal stacks stand side by side now.
static void equal_join(struct heap_diff *d)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < d->count; i++) {
		struct heap_growth *g = &d->growth[i], *last = &d->growth[kept ? kept - 1 : 0];
		if (kept && stack_compare(last, g) == 0) {
			last->bytes += g->bytes;
			last->blocks += g->blocks;
			last->bytes_before += g->bytes_before;
			last->blocks_before += g->blocks_before;
			growth_clear(g);
		} else {
			d->growth[kept++] = *g;
		}
	}
	d->count = kept;
}

// By how much a site grew. The compiler may have put the function of a site into another one, so
// that of a file's sites any may be a stack's: in the end each function has the most that a site of
// one of its files grew by.
struct site_growth {
	const char *function, *file;
	double grown;
	bool is_there; // after
};

static int file_compare(const void *a, const void *b)
{
	const struct site_growth *x = a, *y = b;
	int c = strcmp(x->file, y->file);
	return c ? c : strcmp(x->function, y->function);
}

static int function_compare(const void *a, const void *b)
{
	return strcmp(((const struct site_growth *)a)->function,
		((const struct site_growth *)b)->function);
}

static void sites_add(
	struct site_growth *to, unsigned *count, const struct heap_text *h, bool is_after)
{
	for (unsigned i = 0; i < h->site_count; i++)
		to[(*count)++] = (struct site_growth){h->site[i].function, h->site[i].file,
			is_after ? (double)h->site[i].bytes : -(double)h->site[i].bytes, is_after};
}

// Joins equal neighbours: their sum, or the most of them.
static unsigned sites_join(struct site_growth *s, unsigned count,
	int (*compare)(const void *a, const void *b), bool sums)
{
	unsigned kept = 0;
	qsort(s, count, sizeof(*s), compare);
	for (unsigned i = 0; i < count; i++) {
		struct site_growth *last = &s[kept ? kept - 1 : 0];
		if (!kept || compare(last, &s[i]) != 0) {
			s[kept++] = s[i];
			continue;
		}
		last->is_there |= s[i].is_there;
		last->grown = sums ? last->grown + s[i].grown : fmax(last->grown, s[i].grown);
	}
	return kept;
}

// Those of one file have the most of it. Sorted by files.
static void files_level(struct site_growth *s, unsigned count)
{
	for (unsigned begin = 0, end; begin < count; begin = end) {
		double most = s[begin].grown;
		for (end = begin; end < count && strcmp(s[end].file, s[begin].file) == 0; end++)
			most = fmax(most, s[end].grown);
		for (unsigned i = begin; i < end; i++)
			s[i].grown = most;
	}
}

static void again_mark(struct heap_growth *g, const struct site_growth *s, unsigned count)
{
	const struct site_growth key = {.function = g->depth ? g->stack[0] : ""};
	const struct site_growth *of = bsearch(&key, s, count, sizeof(*s), function_compare);
	double growth = g->bytes - g->bytes_before;
	g->is_made_again = growth > 0 && of && of->is_there && of->grown <= growth / 2;
}

// Costs a sort of the sites and one of the functions, whatever a profile says.
static int all_again_mark(
	struct heap_diff *d, const struct heap_text *before, const struct heap_text *after)
{
	unsigned count = 0;
	if (!before || !before->site_count)
		return 0;
	struct site_growth *s = calloc(before->site_count + after->site_count, sizeof(*s));
	if (!s)
		return -ENOMEM;
	sites_add(s, &count, before, false);
	sites_add(s, &count, after, true);
	count = sites_join(s, count, file_compare, true);
	files_level(s, count);
	count = sites_join(s, count, function_compare, false);
	for (unsigned i = 0; i < d->count; i++)
		again_mark(&d->growth[i], s, count);
	free(s);
	return 0;
}

int heap_diff_make(struct heap_diff *out, const struct heap_text *before,
	const struct heap_text *after, struct symbols *symbols)
{
	struct heap_diff d = {0};
	size_t most = (before ? before->stack_count : 0) + after->stack_count;
	d.growth = calloc(most + 1, sizeof(*d.growth));
	if (!d.growth)
		return -ENOMEM;
	int rc = side_add(&d, before, symbols, true);
	if (rc == 0)
		rc = side_add(&d, after, symbols, false);
	if (rc == 0) {
		qsort(d.growth, d.count, sizeof(*d.growth), stack_compare);
		equal_join(&d);
		rc = all_again_mark(&d, before, after);
	}
	if (rc < 0) {
		heap_diff_free(&d);
		return rc;
	}
	qsort(d.growth, d.count, sizeof(*d.growth), growth_compare);
	*out = d;
	return 0;
}

// Is frame `k` the first of its function in its stack? One that calls itself counts once.
static bool is_first(const struct heap_growth *g, unsigned k)
{
	for (unsigned i = 0; i < k; i++)
		if (strcmp(g->stack[i], g->stack[k]) == 0)
			return false;
	return true;
}

static int functions_add(struct heap_diff *d, const struct heap_growth *g)
{
	for (unsigned k = 0; k < g->depth; k++) {
		if (!is_first(g, k))
			continue;
		struct heap_growth *f = &d->growth[d->count];
		*f = *g;
		f->depth = 1;
		f->stack[0] = strdup(g->stack[k]);
		if (!f->stack[0])
			return -ENOMEM;
		d->count++;
	}
	return 0;
}

int heap_diff_cumulate(struct heap_diff *out, const struct heap_diff *of)
{
	struct heap_diff d = {.bytes_before = of->bytes_before, .bytes = of->bytes};
	size_t most = 1;
	for (unsigned i = 0; i < of->count; i++)
		most += of->growth[i].is_made_again ? 0 : of->growth[i].depth;
	d.growth = calloc(most, sizeof(*d.growth));
	if (!d.growth)
		return -ENOMEM;
	for (unsigned i = 0; i < of->count; i++) {
		if (of->growth[i].is_made_again || functions_add(&d, &of->growth[i]) == 0)
			continue;
		heap_diff_free(&d);
		return -ENOMEM;
	}
	qsort(d.growth, d.count, sizeof(*d.growth), stack_compare);
	equal_join(&d);
	qsort(d.growth, d.count, sizeof(*d.growth), growth_compare);
	*out = d;
	return 0;
}

void heap_diff_free(struct heap_diff *d)
{
	for (unsigned i = 0; d->growth && i < d->count; i++)
		growth_clear(&d->growth[i]);
	free(d->growth);
	d->growth = NULL;
	d->count = 0;
}
