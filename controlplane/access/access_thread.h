// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The helper thread `weir-access`: appends lines to the audit log, and does jobs with files that
// the service loop must not wait for. Lines first, then jobs, each in order.
//
// The log has two files, each with a queue of its own, so that no number of refused requests costs
// an entry of a change: `audit.log` of changes, `audit.log.refused` of the rest. A file has at most
// ACCESS_LOG_MAX bytes; then it becomes `audit.log.1`, the one before `audit.log.2` and so on, and
// a new one begins, as it does where it was deleted or renamed. ACCESS_LOG_KEPT of these are kept,
// of refused ones ACCESS_REFUSED_KEPT. Each batch of lines is synced before the jobs that came
// after it. A line for which its queue has no room is lost and counted (access_thread_room says
// what there is), and so are lines that the disk does not take; the first of these in a row is
// logged. Bounds: ACCESS_LINES_MAX lines of ACCESS_LINE_MAX bytes wait for each file, and one job
// for each request that waits for it. Owner: the service loop, whose mailbox brings the results.

#include "base/loop.h"

#include <stddef.h>
#include <stdint.h>

enum {
	ACCESS_LINES_MAX = 256,
	ACCESS_LINE_MAX = 4096,
	ACCESS_LOG_MAX = 4 << 20,
	ACCESS_LOG_KEPT = 4,
	ACCESS_REFUSED_KEPT = 1,
	ACCESS_LOG_PATH_MAX = 4096 + 16,
	ACCESS_WHY_MAX = 256,
};

enum access_log { ACCESS_CHANGES, ACCESS_REFUSED, ACCESS_LOGS };
extern const char *const access_log_suffix[ACCESS_LOGS]; // behind the path: "", ".refused"

struct access_thread;

// Work on the thread, then `done` on the service loop, or in access_thread_close on its caller's
// thread. Memory of the caller until then; neither may use what the caller's owner may have closed.
struct access_job {
	struct loop_return back;
	struct access_job *next;
	void (*work)(struct access_job *j); // NULL: it only waits for the lines before it
	void (*done)(struct access_job *j);
	// For a change of a file (access.h): called once nothing refuses it any more, before it is
	// sent. NULL is fine.
	void (*begins)(struct access_job *j);
	int err; // for them to use
	char why[ACCESS_WHY_MAX];
};

// `path`: of the log; its folder is made if it is not there. -ENOMEM, -errno of the thread. A log
// that cannot be opened is reported and tried again with each batch.
ATTR_MUST_CHECK int access_thread_open(
	struct access_thread **out, struct loop *service, const char *path);
// Writes what waits, ends all jobs. NULL is fine.
void access_thread_close(struct access_thread *t);
// A line without its end. Any bytes but a line feed.
void access_thread_line(struct access_thread *t, enum access_log log, const char *line, size_t len);
// Lines of changes for which there is room.
unsigned access_thread_room(struct access_thread *t);
void access_thread_job(struct access_thread *t, struct access_job *j);

struct access_thread_counts {
	uint64_t written, lost, failed; // lost: no room; failed: the disk
	uint64_t rotated;               // rotations of the log of changes
	unsigned waiting, most;         // changes that wait
	size_t bytes, log_bytes; // log_bytes: of the newest file of changes, once a line is written
};
void access_thread_counts(struct access_thread *t, struct access_thread_counts *out);
