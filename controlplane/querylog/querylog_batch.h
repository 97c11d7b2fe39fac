// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Rows and batches of the query log, and the pool of batches. The log thread takes a batch and
// fills it; its last user, on any thread, returns it.
//
// Memory: QUERYLOG_BATCHES_MAX batches at most, made on demand. QUERYLOG_SPARE_MAX unused batches
// are kept and others freed, so memory shrinks again after a backlog of the sinks. With all batches
// in use querylog_pool_take returns NULL and the caller waits.

#include "base/growth.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

// How many rows the sinks of the query log had in memory, in a small file, so that the run after a
// kill can report the greatest loss.
//
// Owned by the log thread, except open, begin and close. The file is written in place, 512 bytes by
// one pwrite, before records that were read are released in a ring, with each batch and each
// second: a kill leaves the last record whole. The file is on a tmpfs, beside the rings, so no disk
// delays the log thread; a restart of the machine deletes it, like the rings. An invalid file is
// ignored.

enum { QUERYLOG_HAND_SINKS = 8, QUERYLOG_HAND_NAME = 16 };

struct querylog_hand_rows {
	char name[QUERYLOG_HAND_NAME]; // the sink's name
	uint64_t rows, weight;         // upper bounds
};

struct querylog_hand {
	int fd; // -1: no file
	bool is_begun;
	unsigned was_count;
	struct querylog_hand_rows was[QUERYLOG_HAND_SINKS]; // bounds of the previous run; count 0
							    // after an orderly end
};

// Reads the file of the previous run, and leaves it there. -errno: the file cannot be used.
ATTR_MUST_CHECK int querylog_hand_open(struct querylog_hand *h, const char *path);
// The figures of the previous run have been reported: this run writes from here on.
void querylog_hand_begin(struct querylog_hand *h);
void querylog_hand_put(
	struct querylog_hand *h, const struct querylog_hand_rows *rows, unsigned count);
// Writes that no rows are in memory, and closes the file. Without querylog_hand_begin the file is
// not changed.
void querylog_hand_close(struct querylog_hand *h);

enum {
	QUERYLOG_ROWS_MAX = 2048,
	QUERYLOG_TEXT_MAX = 256 * 1024, // bytes of texts and messages of a batch
	QUERYLOG_BATCHES_MAX = 64,
	QUERYLOG_SPARE_MAX = 4,
	QUERYLOG_NAME_MAX = 1024, // bytes of a name as text, its NUL included
};

enum querylog_transport {
	QUERYLOG_UDP,
	QUERYLOG_TCP,
	QUERYLOG_DOT,
	QUERYLOG_DOH,
	QUERYLOG_TRANSPORTS
};

// Where an answer came from.
enum querylog_tier {
	QUERYLOG_TIER_NONE,  // no answer, or one without lookup: FORMERR, dropped, ...
	QUERYLOG_TIER_RULES, // blocked or local
	QUERYLOG_TIER_L0,
	QUERYLOG_TIER_L1,
	QUERYLOG_TIER_UPSTREAM,
	QUERYLOG_TIER_STALE,
	QUERYLOG_TIERS
};
// Result of the validation of an answer; its values are those of enum log_validation.
enum querylog_validation {
	QUERYLOG_NOT_VALIDATED, // not validated, or not known
	QUERYLOG_SECURE,
	QUERYLOG_INSECURE,
	QUERYLOG_BOGUS,
	QUERYLOG_VALIDATIONS
};
extern const char *const querylog_validation_names[QUERYLOG_VALIDATIONS];
extern const char *const querylog_transport_names[QUERYLOG_TRANSPORTS];
extern const char *const querylog_tier_names[QUERYLOG_TIERS];

enum { QUERYLOG_NO_EDE = UINT16_MAX };

// A string of a batch or of an object that it references: never NULL, NUL-terminated, and without
// bytes under 0x20, 0x7f and over (names are escaped as RFC 1035 5.1 has it).
struct querylog_text {
	const char *at;
	uint16_t len;
};

// Both ends and both messages of a query (log_msg.h). Part of the batch.
struct querylog_whole {
	const uint8_t *query, *reply; // the row's query_len and reply_len bytes; NULL: left out
	uint8_t service_bytes[16];    // the queried service address; IPv4 in the first 4
	uint16_t service_port;        // 0: address and port are not known
	uint8_t service_version;      // 6, or 4
};

struct querylog_row {
	uint64_t time_us;                   // received, microseconds since 1970 UTC
	uint64_t weight;                    // number of queries, this one included
	struct querylog_text qname;         // "." for the root; "" where the question was not read
	struct querylog_text client;        // address as text, after anonymisation
	struct querylog_text client_name;   // "": the client has no name
	struct querylog_text group;         // "" for group 0
	struct querylog_text verdict;       // verdict_names or answer kinds, one vocabulary
	struct querylog_text list;          // list that blocked; "": no list blocked
	struct querylog_text upstream;      // upstream that answered; "": no upstream answered
	const struct querylog_whole *whole; // NULL: the messages are not logged
	uint32_t dataplane_us;              // from the receive burst to the end of the batch
	uint32_t total_us;                  // from the receive burst to the answer
	uint16_t qtype, qclass;
	uint16_t rcode; // extended rcode; 0 if is_answered is false
	uint16_t ede;   // RFC 8914, or QUERYLOG_NO_EDE
	uint16_t client_port;
	uint16_t query_len, reply_len; // bytes of DNS; 0 without a message
	uint8_t client_version;        // 4 or 6
	uint8_t client_bytes[16]; // after anonymisation; IPv4 in the first 4; zeros when hashed
	uint8_t transport;        // enum querylog_transport
	uint8_t tier;             // enum querylog_tier
	uint8_t validation;       // enum querylog_validation
	bool is_answered;
	bool is_blocked; // blocked, blocked_answer, drop_rule
};

struct querylog_batch {
	uint64_t number; // counts up from 1 at the start of the control plane
	const char *box; // this box's name
	unsigned count;
	const struct querylog_row *row;
	uint64_t weight; // sum of the weights of its rows
};

// The weight of row `i` for a sink that got the batch with `owed` on top: its own, and its share of
// `owed`.
static inline uint64_t querylog_weight(const struct querylog_batch *b, uint64_t owed, unsigned i)
{
	return b->row[i].weight + owed / b->count + (i < owed % b->count);
}

// Any thread. A batch passed to `take` is borrowed: a sink that keeps it must hold it.
void querylog_hold(const struct querylog_batch *b);
void querylog_release(const struct querylog_batch *b);

struct querylog_pool;

ATTR_MUST_CHECK int querylog_pool_open(struct querylog_pool **out); // -ENOMEM
void querylog_pool_close(struct querylog_pool *p); // after every batch was returned. NULL is fine

// Returns an empty batch that the caller holds. NULL: all batches are in use, or no memory. `box`
// outlives it.
ATTR_MUST_CHECK struct querylog_batch *querylog_pool_take(
	struct querylog_pool *p, const char *box, uint64_t number);
// Returns room for one more row with `text` bytes of text, zeroed and with empty texts. NULL: the
// batch is full.
ATTR_MUST_CHECK struct querylog_row *querylog_batch_row(struct querylog_batch *b, size_t text);
// Returns room for `size` bytes of text of the last row, part of the size passed to
// querylog_batch_row.
char *querylog_batch_text(struct querylog_batch *b, size_t size);
// The last row counts from here on: its weight is added to that of the batch.
void querylog_batch_end_row(struct querylog_batch *b);
// Adds `weight` queries to the last row that counts.
void querylog_batch_add_weight(struct querylog_batch *b, uint64_t weight);
// Calls `drop(arg)` when the last user releases the batch, on its thread: it releases what rows
// point to outside the batch.
void querylog_batch_keep(struct querylog_batch *b, void (*drop)(void *arg), void *arg);

struct querylog_pool_counts {
	unsigned out, made; // batches in use; batches in memory
	uint64_t bytes;
	uint64_t starved; // calls of querylog_pool_take that returned NULL
	unsigned out_most;
	uint64_t since_ms; // when the oldest batch in use was taken; 0: no batch is in use
	struct growth growth;
};
void querylog_pool_counts(struct querylog_pool *p, struct querylog_pool_counts *out);
