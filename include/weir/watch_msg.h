// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What an operator wants to be shown of queries (weirctl trace, capture), and how a worker says it.
//
// `dp_watch` stands in the settings of the workers and ends by itself. While it holds, a worker
// times each stage, and what passes the filter goes on its log ring as one MSG_WATCH, while that
// is less than half full: records of the query log come first. When there is none, a worker asks
// one flag for each batch, which it asks for the query log anyway. What lies on the rings when a
// watch ends is of a former one by its `id`, and nobody is shown it.
//
// A query that passes the filter and is handed to the control plane has a number, which stands in
// its miss (msg_miss.trace) and in its MSG_WATCH: the control plane says under it what it did
// (controlplane/querylog/trace.h), and whoever watches sees both as one.

#include "log_msg.h"

#include <stdbool.h>

enum { WATCH_FRAME_MAX = 1536, WATCH_STAGES = 8, WATCH_SECONDS_MAX = 600 };

// What a message is about: a query; the answer to one that was handed to the control plane, on its
// way out. Of an answer the record has when the worker took it off its ring (`time_us`),
// LOG_ANSWERED if the port took it, and nothing else; `stage_ns` of tx what lay between.
enum watch_part { WATCH_QUERY, WATCH_ANSWER, WATCH_PARTS };

// MSG_WATCH: this, `record.name_len` octets of name, `kept` octets of frame.
struct watch_msg {
	uint32_t stage_ns[WATCH_STAGES]; // of its batch, by enum stage; of a query's tx 0
	uint16_t frame_len, kept;        // as it came; 0 without frames
	uint16_t batch;                  // frames in the batch
	uint16_t id;                     // of the watch that it is for (dp_watch)
	uint32_t trace;                  // watch_trace_number, as in the miss; 0: it is no miss
	uint16_t worker;
	uint16_t part;            // enum watch_part
	struct log_record record; // without a client where the frame was no query to us
};
static_assert(sizeof(struct watch_msg) == 104);
enum { WATCH_MESSAGE_MAX = sizeof(struct watch_msg) + 255 + WATCH_FRAME_MAX };

// Of the `n`th query that a worker numbers for a watch. Never 0; it comes again after 65,535 more.
static inline uint32_t watch_trace_number(uint16_t watch_id, uint32_t n)
{
	return (uint32_t)watch_id << 16 | (n % UINT16_MAX + 1);
}

// Does a query pass the filter by its client (4 or 16 octets by the version), or by its name in
// lower-case wire form (0 octets: none was read, which passes where any name does)?
bool watch_passes_client(const struct dp_watch *f, unsigned ip_version, const uint8_t *address);
bool watch_passes_name(const struct dp_watch *f, const uint8_t *wire, unsigned len);
