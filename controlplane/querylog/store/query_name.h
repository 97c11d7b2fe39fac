// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Names as the log writes them (RFC 1035 5.1 text), compared. Any thread.

#include <stdbool.h>
#include <stddef.h>

// Bytes of a name as text without the dot at its end.
size_t query_name_len(const char *name);
// Does a label end there? A dot that a backslash makes part of a label ends none.
bool query_name_dot_at(const char *name, size_t at);
// Is `name` that of the filter or below it? Both as RFC 1035 5.1 text, dot at the end or not.
bool query_name_below(const char *name, const char *filter);
