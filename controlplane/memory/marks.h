// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Low-water marks of one value, over windows of five lengths, and how they rise.
//
// Work comes and goes: a burst, a batch or a buffer is given back. A leak is not. So a window is
// checked by the least that the value was in it, and growth by how these marks rise from window to
// window, without the two largest rises: a step (another image, a new level of load, a cache that
// is made) is no leak, however large, and a leak is no step.
//
// The windows of a scale end for all values at the same time. All marks of a scale are from some
// seconds less than its span. 0.7 KiB a value; seeing a value is five comparisons.

#include <stdbool.h>

enum { MARKS_SCALES = 5, MARKS_MAX = 14, MARKS_STEPS = 2 };

struct marks_scale {
	unsigned window_s, count; // the span is their product
};
extern const struct marks_scale marks_scales[MARKS_SCALES];

struct marks {
	double low[MARKS_SCALES]; // low of the window that is open; INFINITY: not seen in it
	double mark[MARKS_SCALES][MARKS_MAX]; // oldest first
	unsigned count[MARKS_SCALES];
};

void marks_begin(struct marks *m);
void marks_see(struct marks *m, double value);
// Ends the window of a scale. One without a value repeats the mark before it, so it has no rise.
void marks_end(struct marks *m, unsigned scale);
// Are all marks of the scale there?
bool marks_full(const struct marks *m, unsigned scale);

struct marks_rise {
	double gain;           // from the first mark to the last
	double steady;         // `gain` without the MARKS_STEPS largest rises
	double late;           // the part of `gain` in the newer half of the marks since `first`
	double largest;        // rise
	unsigned rises, falls; // marks above their predecessor, and well below it
	unsigned first;        // the mark before the first rise
};
// `excused[i]` of the rise to mark i is expected and left out; it makes no fall of a rise.
void marks_rise(const struct marks *m, unsigned scale, const double excused[MARKS_MAX],
	struct marks_rise *out);
// Nothing but rises of about one size is the plainest leak, even one in lumps, such as one of each
// reload, that leave most windows without a rise. What starts, or finds a new level, rises less and
// less.
bool marks_is_even(const struct marks_rise *r);
// What a window gains on average. A leak may have begun within these windows, so those before its
// first rise do not count, nor does that one, which is a part.
double marks_window_gain(const struct marks *m, unsigned scale, const struct marks_rise *r);
