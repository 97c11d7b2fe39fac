// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A row of the query log as one line, for readers and files: JSON with the keys of /log/search, or
// text. No allocation; any thread.

#include "querylog.h"

enum { ROW_LINE_MAX = 8192 };

// "\n" at the end, no NUL. Octets written, or 0: it does not fit (no row of the log's does).
size_t row_to_json(const struct querylog_row *row, const char *box, char *out, size_t cap);
// "2026-11-20T10:00:30.123456Z 192.0.2.7 www.example A hit NOERROR 12us 1", with list or upstream
// behind it; "-" for what there is none of.
size_t row_to_text(const struct querylog_row *row, char *out, size_t cap);
