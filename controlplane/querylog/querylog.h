// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The query log: takes the result of every query from the worker rings to the sinks.
//
// A worker writes a record of each query that it ends itself to its log ring (log_msg.h). The
// resolver loop writes those of misses, TCP and the UDP fallback to a ring of its own. One thread,
// this module's, empties all of them by a timer, checks what it copied, drops the rows that the
// configuration excludes, hides clients as configured, replaces numbers by names, and makes rows.
// Rows go to the sinks in batches.
//
// Weight: rows of one source stand for all its queries. A source counts the queries without a
// record (sampling, a full ring) and adds them to its next record, so the sum of the weights is the
// number of queries. Batches that a sink with weights does not accept are a debt, which the next
// accepted batch gets, spread over its rows (`fold`); a debt older than QUERYLOG_OWED_MS is
// dropped. Dropped debts, and rows that other sinks do not accept, are counted in rows and weight.
// Each sink has a debt of its own: a slow one costs no other sink any rows.
//
// Who owns what: a batch is made on the log thread and is immutable from the first sink_take on;
// each sink that keeps it takes a reference, the last one returns it to the pool, from any thread.
// Everything a row points to lives as long as its batch. Bounds: QUERYLOG_BATCHES_MAX batches of
// QUERYLOG_ROWS_MAX rows and QUERYLOG_TEXT_MAX bytes of names; with none free the thread stops
// reading the rings (`starved`); they fill, and weights stand for the missing records. An answer
// never waits for a log.
//
// A sink's `take` runs on the log thread and must not block: it queues the batch (querylog_queue.h)
// or does bounded work in memory.

#include "base/table_registry.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

enum {
	QUERYLOG_ROWS_MAX = 2048,
	QUERYLOG_TEXT_MAX = 256 * 1024, // bytes of names and addresses of a batch
	QUERYLOG_BATCHES_MAX = 64,
	QUERYLOG_SINKS_MAX = 8,
	QUERYLOG_NAME_MAX = 1024, // bytes of a name as text, its NUL included
	QUERYLOG_OWED_MS = 30000, // how long weight waits for a sink that takes nothing
};

enum querylog_transport { QUERYLOG_UDP, QUERYLOG_TCP, QUERYLOG_TRANSPORTS };

// Where an answer came from.
enum querylog_tier {
	QUERYLOG_TIER_NONE,  // there was none, or it needed none: FORMERR, dropped, ...
	QUERYLOG_TIER_RULES, // blocked or local
	QUERYLOG_TIER_L0,
	QUERYLOG_TIER_L1,
	QUERYLOG_TIER_UPSTREAM,
	QUERYLOG_TIER_STALE,
	QUERYLOG_TIERS
};
extern const char *const querylog_transport_names[QUERYLOG_TRANSPORTS];
extern const char *const querylog_tier_names[QUERYLOG_TIERS];

enum { QUERYLOG_NO_EDE = UINT16_MAX };

// A string of a batch or of an object that it references: never NULL, NUL-terminated, and without
// bytes under 0x20, 0x7f and over (names are escaped as RFC 1035 5.1 has it).
struct querylog_text {
	const char *at;
	uint16_t len;
};

// Both ends and both messages of a query (log_whole.h). Part of the batch.
struct querylog_whole {
	const uint8_t *query, *reply; // the row's query_len and reply_len bytes; NULL: left out
	uint8_t service_bytes[16];    // the queried service address; IPv4 in the first 4
	uint16_t service_port;        // 0: neither is known
};

struct querylog_row {
	uint64_t time_us;                   // received, microseconds since 1970 UTC
	uint64_t weight;                    // number of queries, this one included
	struct querylog_text qname;         // "." for the root; "" where the question was not read
	struct querylog_text client;        // address as text, after anonymisation
	struct querylog_text client_name;   // "" without one
	struct querylog_text group;         // "" for group 0
	struct querylog_text verdict;       // verdict_names or answer kinds, one vocabulary
	struct querylog_text list;          // that blocked, "" without one
	struct querylog_text upstream;      // that answered, "" without one
	const struct querylog_whole *whole; // NULL: not logged
	uint32_t dataplane_us;              // from the receive burst to the end of the batch
	uint32_t total_us;                  // from there to the answer
	uint16_t qtype, qclass;
	uint16_t rcode; // extended; of a query without an answer 0 with is_answered false
	uint16_t ede;   // RFC 8914, or QUERYLOG_NO_EDE
	uint16_t client_port;
	uint16_t query_len, reply_len; // bytes of DNS; 0 where there is none
	uint8_t client_version;        // 4 or 6
	uint8_t client_bytes[16]; // after anonymisation; IPv4 in the first 4; zeros when hashed
	uint8_t transport;        // enum querylog_transport
	uint8_t tier;             // enum querylog_tier
	bool is_answered;
	bool is_blocked; // blocked, blocked_answer, drop_rule
};

struct querylog_batch {
	uint64_t number; // counts up from 1 in a control plane's life
	const char *box; // this box's name
	unsigned count;
	const struct querylog_row *row;
	uint64_t weight; // of all rows
};

// The weight of row `i` for a sink that got the batch with `owed` on top: its own, and its share.
static inline uint64_t querylog_weight(const struct querylog_batch *b, uint64_t owed, unsigned i)
{
	return b->row[i].weight + owed / b->count + (i < owed % b->count);
}

// Any thread. A batch passed to `take` is borrowed: a sink that keeps it must hold it.
void querylog_hold(const struct querylog_batch *b);
void querylog_release(const struct querylog_batch *b);

// Figures that a sink reports. Weight if it knows the queries of its rows, else rows.
struct querylog_held {
	uint64_t rows, weight;           // in memory, at most: a kill loses them
	uint64_t lost_rows, lost_weight; // taken, and kept nowhere
	uint64_t without_messages;       // rows written without messages (querylog_whole)
};

struct querylog_sink {
	const char *name;
	// On the log thread. False: not taken; counted as dropped by this sink.
	bool (*take)(void *arg, const struct querylog_batch *b);
	// In place of `take`, for a sink with weights: the batch stands for `owed` queries more
	// than its rows (querylog_weight). False: not accepted; called again with the next batch.
	bool (*fold)(void *arg, const struct querylog_batch *b, uint64_t owed);
	// On the log thread, once a second or so, also when nothing is logged. NULL: not wanted.
	void (*beat)(void *arg, uint64_t now_ms);
	// Any thread, until querylog_stop has returned. NULL: it keeps nothing.
	void (*held)(void *arg, struct querylog_held *out);
	void *arg;
};

struct querylog;

struct querylog_settings {
	const char *box; // this box's name; kept by reference, outlives the log
	const char
		*hand_path; // of the file of querylog_hand.h, on a tmpfs, for the call; NULL: none
};

ATTR_MUST_CHECK int querylog_open(struct querylog **out, const struct querylog_settings *s);
// Every batch that a sink took is released. NULL is fine.
void querylog_close(struct querylog *q);

// Adds a sink before querylog_start. It must stand until querylog_stop has returned. -ENOSPC.
ATTR_MUST_CHECK int querylog_add(struct querylog *q, const struct querylog_sink *sink);
// Before querylog_start: the receiver of watch messages (watch_msg.h), on the log thread. False:
// the message was invalid.
void querylog_set_watch(struct querylog *q,
	bool (*put)(void *arg, int64_t wall_us, const uint8_t *msg, size_t len), void *arg);
ATTR_MUST_CHECK int querylog_start(struct querylog *q); // -errno of creating the thread
// Empties the rings once more, passes the rows to the sinks and ends the thread. Then each owner
// stops its sink.
void querylog_stop(struct querylog *q);

struct querylog_names;
struct querylog_source;

// Any thread: replaces the names by which rows are made; takes ownership. Nothing is read before
// the first call.
void querylog_set_names(struct querylog *q, struct querylog_names *names);
// Any thread: one more ring (querylog_source.h), taken over on success; all worker rings have
// ended.
ATTR_MUST_CHECK int querylog_add_source(struct querylog *q, const struct querylog_source *source);
void querylog_end_rings(struct querylog *q);

// Gives a batch to every sink and counts who took it. On the log thread, or in a test.
void querylog_feed(struct querylog *q, const struct querylog_batch *b);

struct querylog_sink_counts {
	const char *name;
	uint64_t rows, weight;               // taken
	uint64_t folded_rows, folded_weight; // rows not accepted, whose weight went into other rows
	uint64_t owed_rows, owed_weight;     // not taken, and the weight not yet either
	uint64_t dropped_rows, dropped_weight; // not taken, neither rows nor weight
	uint64_t lost_rows, lost_weight;     // all that is kept nowhere: dropped, or taken and lost
	uint64_t held_rows, held_weight;     // in its memory
	uint64_t before_rows, before_weight; // lost by a kill of the life before, at most
	uint64_t without_messages;           // of `rows`
};

// Any thread.
unsigned querylog_sinks(struct querylog *q, struct querylog_sink_counts out[QUERYLOG_SINKS_MAX]);

struct querylog_status {
	uint64_t rows, weight; // made, and for how many queries they stand
	uint64_t unlogged;     // of that weight, queries without a row of their own
	uint64_t excluded_rows, excluded_weight; // excluded by the configuration
	uint64_t bad, anomalies;                 // invalid records and rings
	uint64_t carried_weight; // of `weight`, of such records: only their time made no sense
	uint64_t starved;        // looks at rings that found no batch free
	unsigned sources;
	unsigned batches, batches_made; // held by someone; in memory
	uint64_t batch_bytes;
	unsigned batches_most;
	uint64_t batch_since_ms;                // when the oldest one in use was taken; 0: none
	uint64_t batches_grown, batches_shrunk; // made, and freed for there were enough
	uint64_t sources_refused;               // worker rings that are not logged
	uint64_t macs, macs_evicted, macs_refused, macs_oldest_ms; // of querylog_macs.h
	unsigned sink_count;
	struct querylog_sink_counts sink[QUERYLOG_SINKS_MAX];
};

// Any thread.
void querylog_status(struct querylog *q, struct querylog_status *out);
