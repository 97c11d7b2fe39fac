// SPDX-License-Identifier: BSD-3-Clause
#include "heap_diff.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Functions that allocate for others.
static bool is_allocator(const char *path, const char *name)
{
	static const char *const names[] = {"heap_malloc", "heap_calloc", "heap_realloc",
		"heap_reallocarray", "heap_aligned_alloc", "heap_strdup", "heap_strndup", "malloc",
		"calloc", "realloc", "strdup", "strndup", "__strdup", "__strndup"};
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
	return !is_allocator(m->path, out);
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
	if (rc < 0) {
		heap_diff_free(&d);
		return rc;
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
