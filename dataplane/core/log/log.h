// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A line of the log as a JSON object, for runtime.log_format: json. Any thread; makes one system
// call, for the thread's name. No time zone is read: worker threads may not open files.

#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>
#include <weir/log.h>

enum {
	LOG_TEXT_MAX = 1024,
	LOG_EVENT_TEXT_MAX = (LOG_EVENT_FIELDS_MAX + 1) * (5 * LOG_FIELD_MAX + 40) + 128,
	LOG_JSON_MAX = 2 * LOG_TEXT_MAX + 512 + LOG_EVENT_TEXT_MAX
};

struct log_json {
	enum log_level level;
	uint32_t id; // number of an error or a warning (log_recent.h); else 0
	const char *process, *text;
	uint64_t suppressed;           // lines before it that were suppressed
	const struct log_event *event; // has kind, number and fields; NULL if it is no event
};

// Writes a line with a newline at its end. Control characters and bytes that are no UTF-8 become
// \xNN; a text that is too long is cut. Returns the length.
size_t log_json_line(char out[LOG_JSON_MAX], const struct log_json *l) ATTR_NONNULL;
