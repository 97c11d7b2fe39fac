// SPDX-License-Identifier: BSD-3-Clause
#include "marks.h"

#include <math.h>
#include <string.h>

enum { EVEN_RISES = 4, FALL_PART = 16 };
// The largest of even rises has at most so many times the mean: a window has one lump or two.
static const double EVEN_SIZE = 2.25;

// 48 s, 165 s, 14 min and 56 min: a little less than the times to alarm of memory_judge.h, which
// are a minute, three, a quarter of an hour and an hour, because a leak may begin anywhere in a
// window and figures of the data plane are up to some seconds old. 96 s are for rates between the
// first two, and for a process that started two minutes ago.
const struct marks_scale marks_scales[MARKS_SCALES] = {
	{4, 12}, {8, 12}, {15, 11}, {60, 14}, {240, 14}};

void marks_begin(struct marks *m)
{
	*m = (struct marks){0};
	for (unsigned s = 0; s < MARKS_SCALES; s++)
		m->low[s] = INFINITY;
}

void marks_see(struct marks *m, double value)
{
	for (unsigned s = 0; s < MARKS_SCALES; s++)
		if (value < m->low[s])
			m->low[s] = value;
}

void marks_end(struct marks *m, unsigned scale)
{
	double *mark = m->mark[scale];
	unsigned *count = &m->count[scale];
	double low = m->low[scale];
	m->low[scale] = INFINITY;
	if (isinf(low)) {
		if (*count == 0)
			return;
		low = mark[*count - 1];
	}
	if (*count == marks_scales[scale].count)
		memmove(mark, mark + 1, --*count * sizeof(*mark));
	mark[(*count)++] = low;
}

bool marks_full(const struct marks *m, unsigned scale)
{
	return m->count[scale] == marks_scales[scale].count;
}

void marks_rise(const struct marks *m, unsigned scale, const double excused[MARKS_MAX],
	struct marks_rise *out)
{
	double largest[MARKS_STEPS] = {0}, gain[MARKS_MAX];
	*out = (struct marks_rise){0};
	for (unsigned i = 1; i < m->count[scale]; i++) {
		double d = m->mark[scale][i] - m->mark[scale][i - 1];
		if (d > 0)
			d = fmax(0, d - excused[i]);
		out->gain += d;
		gain[i] = d;
		if (d > 0 && out->rises == 0)
			out->first = i - 1;
		out->rises += d > 0;
		for (unsigned k = 0; k < MARKS_STEPS; k++)
			if (d > largest[k]) {
				double smaller = largest[k];
				largest[k] = d;
				d = smaller;
			}
	}
	for (unsigned i = (out->first + m->count[scale]) / 2 + 1; i < m->count[scale]; i++)
		out->late += gain[i];
	// A small part of a rise may be given back: other values are in it.
	for (unsigned i = 1; i < m->count[scale]; i++)
		out->falls += gain[i] < -largest[0] / FALL_PART;
	out->largest = largest[0];
	out->steady = out->gain - largest[0] - largest[1];
}

bool marks_is_even(const struct marks_rise *r)
{
	return r->falls == 0 && r->rises >= EVEN_RISES
	       && r->largest * (r->rises - MARKS_STEPS) <= EVEN_SIZE * r->steady;
}

double marks_window_gain(const struct marks *m, unsigned scale, const struct marks_rise *r)
{
	const double *mark = m->mark[scale];
	const unsigned from = r->first + 1, last = m->count[scale] - 1;
	if (marks_is_even(r) && from < last)
		return (mark[last] - mark[from]) / (last - from);
	return r->rises > MARKS_STEPS ? r->steady / (r->rises - MARKS_STEPS) : r->steady;
}
