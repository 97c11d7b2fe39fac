// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// How many rows the sinks of the query log had in memory, in a small file, so that the run after a
// kill can report the greatest loss.
//
// Owned by the log thread, except open, begin and close. The file is written in place, 512 bytes by
// one pwrite, before records that were read are released in a ring, with each batch and each
// second: a kill leaves the last one whole. It is on a tmpfs, beside the rings, so no disk delays
// the log thread; a restart of the machine deletes it, like the rings. An invalid file is ignored.

#include <stdbool.h>
#include <stdint.h>
#include <weir/attr.h>

enum { QUERYLOG_HAND_SINKS = 8, QUERYLOG_HAND_NAME = 16 };

struct querylog_hand_rows {
	char name[QUERYLOG_HAND_NAME]; // of the sink
	uint64_t rows, weight;         // at most
};

struct querylog_hand {
	int fd; // -1: none
	bool is_begun;
	unsigned was_count;
	struct querylog_hand_rows
		was[QUERYLOG_HAND_SINKS]; // of the previous run; none after an end
};

// Reads the file of the previous run, and leaves it there. -errno: the file cannot be used.
ATTR_MUST_CHECK int querylog_hand_open(struct querylog_hand *h, const char *path);
// The figures of the previous run have been reported: this run writes from here on.
void querylog_hand_begin(struct querylog_hand *h);
void querylog_hand_put(
	struct querylog_hand *h, const struct querylog_hand_rows *rows, unsigned count);
// No rows are in memory any more. The file of a run that never began is not changed.
void querylog_hand_close(struct querylog_hand *h);
