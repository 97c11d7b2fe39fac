// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// How large a pattern is once its bounded repeats are written out: what libhs works on before it
// looks at any limit, for minutes and with gigabytes where repeats of repeats multiply. Pure; any
// thread.

#include <stddef.h>

// Characters, classes, escapes, anchors, groups and alternatives, each as often as the repeats
// around it say, or 1 more than `max`: also for groups that are deeper than PATTERN_DEPTH_MAX, and
// for a line break, which no name has. Rather too many than too few.
enum { PATTERN_DEPTH_MAX = 128, PATTERN_PRICED_MAX = 4000, PATTERN_PRICED_LEN_MAX = 1024 };
unsigned pattern_positions(const char *text, unsigned max);

// Takes ".*" from both ends, where it matches whatever is left: what is matched stays the same.
void pattern_trim(char *text);

// The largest cost of a scan of any name by a trimmed pattern: characters that stand for
// themselves, and ^ and $, cost nothing, a class, a dot or an alternative 1, a ? 2, another repeat
// 8 and its copies; what is over 12 of a pattern costs three times as much, as the states that a
// name keeps alive multiply. The same on every machine, unlike a time. The dearest patterns that
// were found take 0.6 ns for 1 and each byte of the worst name, usual ones a hundredth of that. One
// more than `max`: more than that, or than PATTERN_PRICED_MAX positions or PATTERN_PRICED_LEN_MAX
// bytes.
unsigned pattern_price(const char *text, size_t len, unsigned max);
