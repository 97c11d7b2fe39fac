// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Times as people say them: "90s", "15m", "2h", "7d" before now; "2026-11-20", "2026-11-20T10:00"
// or "2026-11-20T10:00:30" of the local clock, of UTC with a Z behind.

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

// Microseconds since 1970. False: it is none of these.
bool log_time_parse(const char *text, time_t now, int64_t *out);
