// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The query log: takes the result of every query from the worker rings to the sinks.
//
// A worker writes a record of each query that it ends itself to its log ring (log_msg.h). The
// resolver loop writes the records of misses, TCP and the UDP fallback to a ring of its own. The
// log thread empties all rings by a timer, checks the records that it copied, drops the rows that
// the configuration excludes, hides clients as configured, replaces numbers by names, and makes
// rows. Rows go to the sinks in batches.
//
// Weight: rows of one source stand for all its queries. A source counts the queries without a
// record (sampling, a full ring) and adds them to its next record, so the sum of the weights is the
// number of queries. Batches that a sink with weights does not accept are a debt, which the next
// accepted batch gets, spread over its rows (`fold`); a debt older than QUERYLOG_OWED_MS is
// dropped. Dropped debts, and rows that other sinks do not accept, are counted in rows and weight.
// Each sink has a debt of its own: a slow one costs no other sink any rows.
//
// Who owns what: a batch is made on the log thread and is immutable from the first call of a sink's
// `take` on; each sink that keeps it takes a reference, and the last release, on any thread,
// returns it to the pool. Everything a row points to lives as long as its batch. Bounds:
// QUERYLOG_BATCHES_MAX batches of QUERYLOG_ROWS_MAX rows and QUERYLOG_TEXT_MAX bytes of names; with
// none free the thread stops reading the rings (`starved`); they fill, and weights stand for the
// missing records. An answer never waits for a log.
//
// A sink's `take` runs on the log thread and must not block: it queues the batch
// or does bounded work in memory.

#include "base/counts.h"
#include "base/table_registry.h"
#include "querylog_batch.h"
#include "querylog_sinks.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>
#include <weir/shm_abi.h>
#include <weir/shm_epoch.h>
#include <weir/shm_region.h>
#include <weir/shm_ring.h>

// Batches on their way from the log thread to the thread of a sink. With `cap` batches in it the
// queue refuses more, and the sink is owed their weight or has dropped it. Any thread; one short
// lock.
//
// A queued batch keeps its memory from the pool of all sinks. Keep `cap` small (8 or so) and copy
// or spool in time.

enum { QUERYLOG_QUEUE_MAX = 32 };

struct querylog_queue;

ATTR_MUST_CHECK int querylog_queue_open(struct querylog_queue **out, unsigned cap);
// Releases the queued batches. No thread may use it any more. NULL is fine.
void querylog_queue_free(struct querylog_queue *q);

// Queues a batch and takes a reference of its own. False: the queue is full or closed. Called by a
// sink's `take`, or by its `fold`, which queues the debt with the batch.
ATTR_MUST_CHECK bool querylog_queue_put(
	struct querylog_queue *q, const struct querylog_batch *b, uint64_t owed);
// Takes the oldest batch, which the caller releases, after at most timeout_ms (0: at once). NULL:
// no batch came, or the queue is closed and empty. *owed (may be NULL): the debt it was put with.
ATTR_MUST_CHECK const struct querylog_batch *querylog_queue_take(
	struct querylog_queue *q, unsigned timeout_ms, uint64_t *owed);
void querylog_queue_close(struct querylog_queue *q);   // no more puts; queued batches can be taken
bool querylog_queue_is_done(struct querylog_queue *q); // closed and empty

struct querylog_queue_counts {
	unsigned cap, used, used_most;
	uint64_t put, refused; // batches
	uint64_t rows, weight; // queued batches and the one taken last
	uint64_t since_ms;     // when the oldest batch was put; 0: the queue is empty
	uint64_t bytes;        // bytes of the queue itself; the pool counts the batches
};
void querylog_queue_counts(struct querylog_queue *q, struct querylog_queue_counts *out);

// The log rings that the log thread empties: one for each worker, resolver and frontend. A ring of
// a worker is mapped here once more, so that the thread can read its rest after the worker rings
// are detached.
//
// Other threads add and end sources through a short lock; after that the log thread owns a source.
// It reads an ended source to its end, counts the writer's debt and unmaps the ring. Bounds:
// QUERYLOG_SOURCES_MAX sources; the queries of one more are not logged, with a warning.

enum { QUERYLOG_SOURCES_MAX = 2 * SHM_WORKERS_MAX + SHM_RESOLVERS_MAX + EPOCH_OWN_MAX };

struct querylog_source {
	struct ring_consumer ring;
	const _Atomic uint64_t *owed;
	struct region region; // region with the consumer's index; unmapped: the ring is in this
			      // process's own memory
	struct region rings; // region with the rest of the ring
	bool has_ended;
};

struct querylog_sources {
	pthread_mutex_t lock; // protects `next`, `added`, `refused` and `ended`
	unsigned count, added;
	uint64_t refused; // sources without room
	bool ended;       // all worker rings that were added have ended
	struct querylog_source source[QUERYLOG_SOURCES_MAX];
	struct querylog_source next[QUERYLOG_SOURCES_MAX]; // new sources for the log thread
	uint64_t anomalies;                                // anomalies of rings that were dropped
};

// Log thread: accepts sources added, and notes those ended, since the last call.
void querylog_sources_look(struct querylog_sources *s);
void querylog_sources_drop(struct querylog_sources *s, unsigned i); // i < count
uint64_t querylog_sources_anomalies(const struct querylog_sources *s);

struct querylog;

struct querylog_settings {
	const char *box;       // this box's name; kept by reference, outlives the log
	const char *hand_path; // path of the file of struct querylog_hand, on a tmpfs; read by
			       // querylog_open alone; NULL: no file
};

ATTR_MUST_CHECK int querylog_open(struct querylog **out, const struct querylog_settings *s);
// Every sink has released its batches. NULL is fine.
void querylog_close(struct querylog *q);

// Adds a sink before querylog_start. The sink must exist until querylog_stop has returned. -ENOSPC.
ATTR_MUST_CHECK int querylog_add(struct querylog *q, const struct querylog_sink *sink);
// Before querylog_start: sets the receiver of watch messages (watch_msg.h), on the log thread.
// False: the message was invalid.
void querylog_set_watch(struct querylog *q,
	bool (*put)(void *arg, int64_t wall_us, const uint8_t *msg, size_t len), void *arg);
ATTR_MUST_CHECK int querylog_start(struct querylog *q); // -errno of creating the thread
// Empties the rings once more, passes the rows to the sinks and ends the thread. After it returned
// each owner stops its sink.
void querylog_stop(struct querylog *q);

// Before querylog_start: sets the book with names of clients that the configuration does not name;
// it outlives the log.
struct client_book;
void querylog_set_clients(struct querylog *q, struct client_book *clients);

struct querylog_names;
struct querylog_hide;

// Any thread: copies the present key.
void querylog_hide_copy(struct querylog *q, struct querylog_hide *out);

// Any thread: replaces the names that rows are made with; takes ownership. No ring is read before
// the first call.
void querylog_set_names(struct querylog *q, struct querylog_names *names);
// Any thread: adds a ring, which the log owns on success. querylog_end_rings: all worker rings have
// ended.
ATTR_MUST_CHECK int querylog_add_source(struct querylog *q, const struct querylog_source *source);
void querylog_end_rings(struct querylog *q);

#define LOG_COUNTS(X)                                                                              \
	X(FIRST, uint64_t, rows, SAME, TOTAL, "Rows of the query log.")                            \
	X(FIRST, uint64_t, weight, SAME, NAMED("queries_total"),                                   \
		"Queries that these rows stand for.")                                              \
	X(FIRST, uint64_t, unlogged, SAME, TOTAL, "Of these, queries without a row of their own.") \
	X(FIRST, uint64_t, excluded_rows, SAME, TOTAL,                                             \
		"Rows left out because of query_log.exclude_domains or exclude_clients.")          \
	X(FIRST, uint64_t, excluded_weight, SAME, NAMED("excluded_queries_total"),                 \
		"Queries that the rows left out stood for.")                                       \
	X(FIRST, uint64_t, bad, SAME, NAMED("bad_records_total"),                                  \
		"Records of a log ring that were implausible.")                                    \
	X(FIRST, uint64_t, anomalies, NAMED("ring_anomalies"), NAMED("ring_anomalies_total"),      \
		"Implausible values read from log rings.")                                         \
	X(FIRST, uint64_t, carried_weight, SAME, NAMED("carried_queries_total"),                   \
		"Queries of bad records that later rows stand for, because only the time was "     \
		"implausible.")                                                                    \
	X(FIRST, uint64_t, starved, SAME, TOTAL,                                                   \
		"Times that no batch was free to read a log ring.")                                \
	X(FIRST, unsigned, sources, SAME, SAME, "Log rings that weir reads.")                      \
	X(FIRST, unsigned, batches, SAME, SAME, "Batches of rows in use.")                         \
	X(FIRST, uint64_t, batch_bytes, SAME, SAME, "Bytes of the batches in use.")

struct querylog_status {
	LOG_COUNTS(COUNT_FIELD)
	unsigned batches_made, batches_most; // batches in memory; most that were in use
	uint64_t batch_since_ms; // when the oldest batch in use was taken; 0: no batch is in use
	uint64_t batches_grown, batches_shrunk; // batches made; batches freed, as enough were spare
	uint64_t sources_refused;               // worker rings that are not logged
	uint64_t sources_bytes;                 // bytes of the log without its neighbours
	uint64_t macs, macs_evicted, macs_refused, macs_oldest_ms; // counts of struct querylog_macs
	unsigned sink_count;
	struct querylog_sink_counts sink[QUERYLOG_SINKS_MAX];
};
COUNTS(querylog_rows, struct querylog_status, "weir_log_", LOG_COUNTS)

// Any thread.
void querylog_status(struct querylog *q, struct querylog_status *out);
