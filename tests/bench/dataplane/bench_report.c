// SPDX-License-Identifier: BSD-3-Clause
#include "bench_report.h"

#include "tests/bench/bench_tools.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct pair {
	double rx, reflect, answer, ratio, batch;
};

static bool counts(const struct bench_slice *s)
{
	return s->frames >= BENCH_FRAMES_LEAST && s->frames / s->turns >= BENCH_BATCH_LEAST;
}

static struct pair pair_of(const struct bench_slice *r, const struct bench_slice *a)
{
	struct pair p = {
		.rx = (double)r->rx_cycles / r->frames,
		.reflect = (double)r->busy_cycles / r->frames,
		.answer = (double)a->busy_cycles / a->frames,
		.batch = (double)a->frames / a->turns,
	};
	p.ratio = p.reflect / p.answer;
	return p;
}

static uint32_t pairs_make(const struct bench_slice *s, uint32_t count, struct pair *out)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i + 1 < count; i++) {
		if (s[i].reflected && !s[i + 1].reflected && counts(&s[i]) && counts(&s[i + 1]))
			out[n++] = pair_of(&s[i], &s[i + 1]);
	}
	return n;
}

static int by_rx(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;
	return (x->rx > y->rx) - (x->rx < y->rx);
}

// Number of pairs on the near side: the cut that leaves the least variance, which is the one with
// the largest sum of squared sums over counts.
static uint32_t cut(const struct pair *p, uint32_t n)
{
	double total = 0, left = 0, best = -1;
	uint32_t at = n;
	for (uint32_t i = 0; i < n; i++)
		total += log(p[i].rx);
	for (uint32_t i = 1; i < n; i++) {
		left += log(p[i - 1].rx);
		double right = total - left;
		double score = left * left / i + right * right / (n - i);
		if (score > best) {
			best = score;
			at = i;
		}
	}
	return at;
}

static bool differ(const struct pair *p, uint32_t n, uint32_t at)
{
	uint32_t least = n / 20 + 1;
	return at >= least && n - at >= least && p[at + (n - at) / 2].rx >= 1.5 * p[at / 2].rx;
}

// Of the field at `offset`; `room`: n numbers.
static double median(const struct pair *p, uint32_t n, size_t offset, double *room)
{
	for (uint32_t i = 0; i < n; i++)
		memcpy(&room[i], (const char *)&p[i] + offset, sizeof(*room));
	qsort(room, n, sizeof(*room), bench_by_value);
	return room[n / 2];
}

static void side_fill(struct bench_side *s, const struct pair *p, uint32_t n, double *room)
{
	if (n == 0)
		return;
	*s = (struct bench_side){
		.pairs = n,
		.rx = median(p, n, offsetof(struct pair, rx), room),
		.reflect = median(p, n, offsetof(struct pair, reflect), room),
		.answer = median(p, n, offsetof(struct pair, answer), room),
		.ratio = median(p, n, offsetof(struct pair, ratio), room),
		.batch = median(p, n, offsetof(struct pair, batch), room),
	};
}

static void sides_fill(struct bench_figures *f, struct pair *p, uint32_t n, double *room)
{
	if (n == 0)
		return;
	qsort(p, n, sizeof(*p), by_rx);
	uint32_t at = cut(p, n);
	f->two_levels = differ(p, n, at);
	if (!f->two_levels)
		at = p[n / 2].rx > BENCH_FAR_RX_CYCLES ? 0 : n;
	side_fill(&f->near, p, at, room);
	side_fill(&f->far, p + at, n - at, room);
}

int bench_figures(const struct bench_slice *slice, uint32_t count, struct bench_figures *out)
{
	struct bench_figures f = {.slices = count};
	struct pair *pairs = calloc(count + 1, sizeof(*pairs));
	double *room = calloc(count + 1, sizeof(*room));
	if (!pairs || !room) {
		free(pairs);
		free(room);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < count; i++) {
		*(slice[i].reflected ? &f.frames_reflected : &f.frames_answered) += slice[i].frames;
		*(slice[i].reflected ? &f.busy_reflected : &f.busy_answered) +=
			slice[i].busy_cycles;
	}
	uint32_t n = pairs_make(slice, count, pairs);
	f.left_out = count - 2 * n;
	sides_fill(&f, pairs, n, room);
	free(pairs);
	free(room);
	*out = f;
	return 0;
}

static void side_print(FILE *out, const char *name, const struct bench_side *s)
{
	if (s->pairs == 0)
		fprintf(out, ", \"%s\": null", name);
	else
		fprintf(out,
			", \"%s\": {\"pairs\": %u, \"rx_cycles\": %.1f, \"reflect_cycles\": %.1f, "
			"\"answer_cycles\": %.1f, \"ratio\": %.3f, \"batch\": %.1f}",
			name, s->pairs, s->rx, s->reflect, s->answer, s->ratio, s->batch);
}

void bench_figures_print(FILE *out, const struct bench_figures *f)
{
	fprintf(out,
		"\"slices\": %u, \"left_out\": %u, \"reflected\": {\"frames\": %lu, "
		"\"busy_cycles\": %lu}, \"answered\": {\"frames\": %lu, \"busy_cycles\": %lu}, "
		"\"two_levels\": %s",
		f->slices, f->left_out, f->frames_reflected, f->busy_reflected, f->frames_answered,
		f->busy_answered, f->two_levels ? "true" : "false");
	side_print(out, "near", &f->near);
	side_print(out, "far", &f->far);
	fputc('}', out);
}
