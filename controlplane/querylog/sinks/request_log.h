// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The request log: a sink of the query log that writes each row as a line of text or JSON
// (row_text.h) to the file of its day, requests-<date>.log or .jsonl in UTC, for those who read
// logs with the tools of logs. The query store is what answers questions.
//
// A thread of its own (sink_thread.h). A batch is written by few writes, so a kill loses what was
// queued. Bounds: files older than `days` go, a file ends at max_bytes: rows beyond are counted as
// lost and the status says so until the next day. What fails (disk full, no permission) is said in
// the status; a line is whole or not there: a torn end that a power cut left is cut off, counted,
// when the file is opened. A file that somebody else moved, removed or truncated (logrotate, with
// copytruncate or without) is noticed within SINK_BEAT_MS. After a failure the file
// is opened again 1 s to 60 s later, doubling, and until then no batch is taken.

#include "sink_thread.h"

struct request_log_settings {
	const char *folder; // copied; made if its parent is there
	bool json;
	unsigned days;
	uint64_t max_bytes;      // of a day
	int64_t (*unix_s)(void); // NULL: time(2). For tests
};

struct request_log;

// That the folder cannot be used is no failure of this. -ENOMEM, -ENAMETOOLONG, -errno of creating
// the thread.
ATTR_MUST_CHECK int request_log_open(
	struct request_log **out, const struct request_log_settings *s);
void request_log_close(struct request_log *l); // after querylog_stop. NULL is fine
struct sink_thread *request_log_thread(struct request_log *l);
