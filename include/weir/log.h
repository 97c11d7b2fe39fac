// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Log lines of the two daemons: one line on stderr per call, with a priority prefix that journald
// understands (`<4>` ...) when stderr is not a terminal; or, by runtime.log_format, a JSON object.
// At most 100 lines a second: lines beyond are counted, and the next line that passes has the
// count.
//
// Thread-safe. Lines leave by log_out: once its thread runs, no caller waits for a reader. Never
// called between rx and tx of a worker. The caller escapes bytes that came from outside
// (dns_name_to_text).

#include "attr.h"

#include <stdbool.h>
#include <stddef.h>
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

// From the next line on. Any thread.
enum log_format {
	LOG_FORMAT_TEXT,
	LOG_FORMAT_JSON, // an object a line: time, level, id, process, thread, message
};
void log_set_level(enum log_level level);
void log_set_format(enum log_format format);
bool log_is_json(void);
// Something that happened, as a line with fields of its own: in JSON alone. Else as log_line.
enum { LOG_EVENT_FIELDS_MAX = 4, LOG_FIELD_MAX = 120 }; // a longer value is cut
struct log_field {
	const char *name, *value;
};
struct log_event {
	const char *kind, *text; // `kind`, and names of fields: constants
	const char *box;         // name of this box
	uint64_t number;
	unsigned count; // number of fields
	struct log_field field[LOG_EVENT_FIELDS_MAX];
};
void log_event(enum log_level level, const struct log_event *e);
// A message of a library, with its newline: as it is, or as the message of an object of level info.
void log_foreign(const char *text, size_t len);

#define log_error(...)   log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

// Writes log lines to stderr on a thread of its own, so that a reader that stalls (a full pipe, a
// stopped terminal, a slow disk) holds up no other thread.
//
// Lines wait in a buffer of LOG_OUT_BYTES. A line without room is lost and counted, and the count
// is written when the reader goes on. Callers take a mutex for one copy and never wait for the
// reader. Until log_out_start, and after log_out_stop, the caller itself writes its lines. The
// thread takes no signals. Lines that wait when the process is killed are lost.

enum {
	LOG_OUT_BYTES = 65536,
	LOG_OUT_STOP_MS = 1000, // how long a stop waits for the reader
};

// `program`, a literal, is the prefix of the message about lost lines. Stops by itself at exit(3).
// 0, or -errno: lines are written as before.
ATTR_MUST_CHECK int log_out_start(const char *program);
void log_out_stop(void);
// `len` bytes, LOG_OUT_BYTES at most, with the newlines that they need.
void log_out_write(const char *text, size_t len);
uint64_t log_out_lost(void); // calls of log_out_write whose text was lost
