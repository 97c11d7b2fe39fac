// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Log lines of the two daemons: one line on stderr per call, with a priority prefix that journald
// understands (`<4>` ...) when stderr is not a terminal. At most 100 lines a second: lines beyond
// are counted, and the next line that passes has the count.
//
// Thread-safe. Lines leave by log_out.h: once its thread runs, no caller waits for a reader. Never
// called between rx and tx of a worker. The caller escapes bytes that came from outside
// (dns_name_to_text).

#include "attr.h"

#include <stdint.h>

enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7
};

// `program` must outlive the process (a string literal). Lines above `level` are not printed.
void log_init(const char *program, enum log_level level);
void log_line(enum log_level level, const char *fmt, ...) ATTR_PRINTF(2, 3);
uint64_t log_suppressed(void); // lines refused by the limit since start

#define log_error(...)   log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)
