// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// How large a pattern is once its bounded repeats are written out: what libhs works on before it
// looks at any limit, for minutes and with gigabytes where repeats of repeats multiply. Pure; any
// thread.

// Characters, classes, escapes, anchors, groups and alternatives, each as often as the repeats
// around it say, or 1 more than `max`: also for groups that are deeper than PATTERN_DEPTH_MAX, and
// for a line break, which no name has. Rather too many than too few.
enum { PATTERN_DEPTH_MAX = 128 };
unsigned pattern_positions(const char *text, unsigned max);
