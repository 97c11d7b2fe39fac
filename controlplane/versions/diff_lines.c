// SPDX-License-Identifier: BSD-3-Clause
#include "diff_lines.h"

#include <errno.h>
#include <string.h>
#include <weir/heap_site.h>

int diff_text_split(const char *text, unsigned most, struct diff_text *out)
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

void diff_text_free(struct diff_text *t)
{
	FREE_AND_NULL(t->line);
	t->count = 0;
}

static bool same(const struct diff_line *a, const struct diff_line *b)
{
	return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

struct search {
	struct diff_line *a, *b; // what is left without what is the same at both ends
	int n, m, steps;
	int *reach;  // by diagonal, -steps - 1 to steps + 1: how far in `a`
	int **trace; // by step: a copy of `reach` from -step to step, ahead of that step
};

static int *at(const struct search *s, int diagonal)
{
	return &s->reach[s->steps + 1 + diagonal];
}

// One diagonal, of a step. True: the end of both texts.
static bool extend(const struct search *s, int d, int k)
{
	int x = k == -d || (k != d && *at(s, k - 1) < *at(s, k + 1)) ? *at(s, k + 1)
								     : *at(s, k - 1) + 1;
	while (x < s->n && x - k < s->m && same(&s->a[x], &s->b[x - k]))
		x++;
	*at(s, k) = x;
	return x >= s->n && x - k >= s->m;
}

// The number of edits; -ENOMEM; -E2BIG: over `steps`.
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

int diff_lines(struct diff_text *a, struct diff_text *b, unsigned steps)
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
