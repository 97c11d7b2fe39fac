// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What an operator wants to be shown of queries (weirctl trace, capture), and how a worker says it.
//
// `dp_watch` stands in the settings of the workers and ends by itself. While it holds, a worker
// times each stage, and what passes the filter goes on its log ring as one MSG_WATCH, while that
// is less than half full: records of the query log come first. When there is none, a worker asks
// one flag for each batch, which it asks for the query log anyway. What lies on the rings when a
// watch ends is of a former one by its `id`, and nobody is shown it.

#include "log_msg.h"

enum { WATCH_FRAME_MAX = 1536, WATCH_STAGES = 8, WATCH_SECONDS_MAX = 600 };

// MSG_WATCH: this, `record.name_len` octets of name, `kept` octets of frame.
struct watch_msg {
	uint32_t stage_ns[WATCH_STAGES]; // of its batch, by enum stage; of tx 0, which comes later
	uint16_t frame_len, kept;        // as it came; 0 without frames
	uint16_t batch;                  // frames in the batch
	uint16_t id;                     // of the watch that it is for (dp_watch)
	struct log_record record;        // without a client where the frame was no query to us
};
enum { WATCH_MESSAGE_MAX = sizeof(struct watch_msg) + 255 + WATCH_FRAME_MAX };
