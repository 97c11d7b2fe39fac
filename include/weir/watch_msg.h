// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The filter of a watch (weirctl trace, capture), and the message in which a worker reports a
// query.
//
// `dp_watch` stands in the settings of the workers and ends by itself. While it is active, a worker
// times each stage, and writes each query that passes the filter as one MSG_WATCH on its log ring,
// while that is less than half full: records of the query log come first. Without a watch a worker
// tests one flag for each batch, which it tests for the query log anyway. A message of an ended
// watch has an old `id`, and no one sees it.
//
// A query that passes the filter and goes to the control plane has a number, in its miss
// (msg_miss.trace) and in its MSG_WATCH. The control plane reports its own steps under that number
// (controlplane/querylog/trace.h), so the watcher sees both as one query.

#include "log_msg.h"

#include <stdbool.h>

enum { WATCH_FRAME_MAX = 1536, WATCH_STAGES = 8, WATCH_SECONDS_MAX = 600 };

// The subject of a message: a query, or the answer of the control plane to one, on its way out. The
// record of an answer has the time at which the worker took it off its ring (`time_us`),
// LOG_ANSWERED if the port sent it, and nothing else; `stage_ns` of tx is the time between.
enum watch_part { WATCH_QUERY, WATCH_ANSWER, WATCH_PARTS };

// MSG_WATCH: this, `record.name_len` bytes of name, `kept` bytes of frame.
struct watch_msg {
	uint32_t stage_ns[WATCH_STAGES]; // times of its batch, by enum stage; a query's tx is 0
	uint16_t frame_len, kept;        // length received; 0 without frames
	uint16_t batch;                  // frames in the batch
	uint16_t id;                     // the watch that it is for (dp_watch)
	uint32_t trace;                  // watch_trace_number, as in the miss; 0: it is no miss
	uint16_t worker;
	uint16_t part;            // enum watch_part
	struct log_record record; // has no client where the frame was no query to us
};
static_assert(sizeof(struct watch_msg) == 104);
enum { WATCH_MESSAGE_MAX = sizeof(struct watch_msg) + 255 + WATCH_FRAME_MAX };

// The number of the `n`th query that a worker numbers for a watch. Never 0; it comes again after
// 65,535 more.
static inline uint32_t watch_trace_number(uint16_t watch_id, uint32_t n)
{
	return (uint32_t)watch_id << 16 | (n % UINT16_MAX + 1);
}

// Does a query pass the filter by its client (4 or 16 bytes by the version), or by its name in
// lower-case wire form (0 bytes: no name was read, which passes where any name does)?
bool watch_passes_client(const struct dp_watch *f, unsigned ip_version, const uint8_t *address);
bool watch_passes_name(const struct dp_watch *f, const uint8_t *wire, unsigned len);
