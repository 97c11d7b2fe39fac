// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Numbers as people read them. Each returns `out`.

#include <stdint.h>

enum { FIGURE_MAX = 32 };

char *figure_count(uint64_t n, char out[FIGURE_MAX]);     // "1,234,567"
char *figure_rate(double n, char out[FIGURE_MAX]);        // "12.5", "1,234"
char *figure_bytes(uint64_t n, char out[FIGURE_MAX]);     // "64.0 MiB"
char *figure_duration(uint64_t ms, char out[FIGURE_MAX]); // "3 d 4 h", "12.3 s", "850 ms"

// Reads "90s", "15m", "2h" or "7d" as seconds; 0: `text` is no such duration, or over 366 days.
uint64_t figure_seconds(const char *text);
