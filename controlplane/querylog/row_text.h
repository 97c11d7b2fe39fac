// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A row of the query log as one line: of JSON with the keys of /log/search, or of words with one
// space between, `-` for a missing value, in the order of docs/how-to/live.md. No allocation; any
// thread.

#include "querylog_batch.h"

enum { ROW_LINE_MAX = 8192 };

// Writes a row as JSON, with "\n" at the end and no NUL. Returns the bytes written; 0: it does not
// fit. ROW_LINE_MAX bytes hold any row of the log.
size_t row_text_json(const struct querylog_row *row, const char *box, char *out, size_t cap);
// Writes a row as words; returns as row_text_json. A space within a word is \x20.
size_t row_text_line(const struct querylog_row *row, char *out, size_t cap);
