// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A row of the query log as one line: of JSON with the keys of /log/search, or of words with one
// space between, `-` for a missing value, in the order of docs/how-to/live.md. No allocation; any
// thread.

#include "querylog_batch.h"

enum { ROW_LINE_MAX = 8192 };

// "\n" at the end, no NUL. Bytes written, or 0: it does not fit (no row of the log's does).
size_t row_text_json(const struct querylog_row *row, const char *box, char *out, size_t cap);
// The same as words. A space within a word is \x20.
size_t row_text_line(const struct querylog_row *row, char *out, size_t cap);
