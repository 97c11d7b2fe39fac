// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The request log: a sink of the query log that writes each row as a line of text or JSON
// (row_text.h) to the file of its day, requests-<date>.log or .jsonl in UTC, for log tools.
// Searches use the query store.
//
// It has a thread of its own (sink_thread.h). A batch is written by a few system calls, so a kill
// loses little more than the queued batches. Bounds: files older than `days` are deleted; a file
// ends at max_bytes: rows beyond count as lost and the status says so until the next day. The
// status reports failures (disk full, no permission). A line is complete or missing: a torn end
// after a power cut is cut off and counted when the file is opened. A file that another process
// moved, removed or truncated (logrotate, with copytruncate or without) is noticed within
// SINK_BEAT_MS. After a failure the file is opened again 1 s to 60 s later, doubling, and until
// then no batch is accepted.

#include "sink_thread.h"

struct request_log_settings {
	const char *folder; // copied; created if its parent exists
	bool json;
	unsigned days;
	uint64_t max_bytes;      // bytes of a day
	int64_t (*unix_s)(void); // NULL: time(2). For tests
};

struct request_log;

// Succeeds even if the folder cannot be used. -ENOMEM, -ENAMETOOLONG, -errno of creating the
// thread.
ATTR_MUST_CHECK int request_log_open(
	struct request_log **out, const struct request_log_settings *s);
void request_log_close(struct request_log *l); // after querylog_stop. NULL is fine
struct sink_thread *request_log_thread(struct request_log *l);
