// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A sink of the query log (querylog.h) that may block: it has a thread of low priority behind a
// queue of SINK_QUEUE batches. While the queue is full, or the sink refuses, the log counts the
// rejected rows.
//
// Who owns what: the owner makes the thread, adds sink_thread_sink to the log, and stops the thread
// after querylog_stop. The thread then processes the queued batches, within the deadlines of the
// functions of `work`, which all run on it.

#include "base/counts.h"
#include "querylog/querylog.h"

enum {
	SINK_QUEUE = 6,
	SINK_BEAT_MS = 200,
	SINK_WHY_MAX = 160,
	SINK_TARGET_MAX = 256,
	SINK_RETRY_MIN_MS = 1000, // after a failure, doubling to
	SINK_RETRY_MAX_MS = 60000,
};

struct sink_thread;

struct sink_work {
	const char *name, *table; // name of the sink; name of its queue in the table registry
	size_t bytes;             // bytes of the state and buffers of the sink
	void (*take)(void *arg, const struct querylog_batch *b);
	void (*beat)(
		void *arg, uint64_t now_ms); // called first, each SINK_BEAT_MS and after each batch
	void (*end)(void *arg);              // the last call
	// As of struct querylog_sink, on the log thread. May be NULL.
	void (*forget)(void *arg, uint64_t number, uint64_t now_ms);
	void *arg;
	bool of_messages; // the sink counts messages, not rows
};

// -ENOMEM, -errno of creating the thread. `work` is copied.
ATTR_MUST_CHECK int sink_thread_start(struct sink_thread **out, const struct sink_work *work);
void sink_thread_stop(struct sink_thread *t); // frees it too. NULL is fine
struct querylog_sink sink_thread_sink(struct sink_thread *t);
// Points to a flag that is true once the thread is to end, for waits that check one (http_post).
const _Atomic bool *sink_thread_is_ending(const struct sink_thread *t);

// The status of a sink; any thread reads it, the sink's own thread changes it by sink_thread_show.
// A sink that is `failing` accepts no batch; one that accepts batches although it could not deliver
// the last one `is_ill`.
#define SINK_COUNTS(X)                                                                        \
	X(FIRST, uint64_t, written, SAME, NAMED("sent_total"),                                \
		"Events sent, of webhooks messages, by output.")                              \
	X(FIRST, uint64_t, lost, SAME, TOTAL,                                                 \
		"Events that newer ones overwrote before an output could send them.")         \
	X(FIRST, uint64_t, lost_weight, SAME, NONE,                                           \
		"Queries that the rows stand for which a sink accepted and did not write.")   \
	X(FIRST, uint64_t, bytes, SAME, NONE, "Bytes written.")                               \
	X(FIRST, uint64_t, failures, SAME, TOTAL,                                             \
		"Attempts to send events that failed, by output.")                            \
	X(FIRST, uint64_t, without_messages, SAME, NONE,                                      \
		"Rows that dnstap wrote without all that was on the wire.")                   \
	X(FIRST, uint64_t, cut_bytes, SAME, NONE,                                             \
		"Bytes of torn lines that a power cut left, cut off when a file was opened.") \
	X(FIRST, uint64_t, untrusted, SAME, NONE,                                             \
		"Failures because the server's certificate was not trusted.")                 \
	X(FIRST, uint64_t, queued, SAME, NONE, "Batches that wait.")                          \
	X(FIRST, uint64_t, queued_most, SAME, NONE, "Most batches that waited.")              \
	X(FIRST, uint64_t, refused, SAME, NONE, "Batches that were refused.")

struct sink_status {
	SINK_COUNTS(COUNT_FIELD)
	const char *name;
	char target[SINK_TARGET_MAX]; // where it writes, without secrets
	bool failing, is_ill;
	char why[SINK_WHY_MAX];  // the last failure; "": no failure
	uint64_t retry_at_ms;    // time of the next try, monotonic; 0: no try is due
	uint64_t retry_in_ms;    // time from now to the next try, while failing or ill
	uint64_t sockets, files; // sockets and files that the sink has open
};
COUNTS(sink_rows, struct sink_status, "weir_event_output_", SINK_COUNTS)
void sink_thread_show(struct sink_thread *t, const struct sink_status *s);
void sink_thread_status(struct sink_thread *t, struct sink_status *out);
void sink_thread_tables(struct sink_thread *t, struct table_registry *tables);

// When to try again. Pure.
struct sink_retry {
	uint64_t at_ms, wait_ms; // 0: nothing failed
};
void sink_thread_retry_after(struct sink_retry *r, uint64_t now_ms);
