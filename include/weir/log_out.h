// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Writes log lines to stderr on a thread of its own, so that a reader that stalls (a full pipe, a
// stopped terminal, a slow disk) holds up no other thread.
//
// Lines wait in a buffer of LOG_OUT_BYTES. A line without room is lost and counted, and the count
// is written when the reader goes on. Callers take a mutex for one copy and never wait for the
// reader. Until log_out_start, and after log_out_stop, the caller itself writes its lines. The
// thread takes no signals. Lines that wait when the process is killed are lost.

#include "attr.h"

#include <stddef.h>
#include <stdint.h>

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
