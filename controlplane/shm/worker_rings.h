// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The worker rings of the attached data plane, for one resolver: misses in, answers out. Only on
// the resolver's loop. Each resolver maps the rings itself, so no other thread's detach unmaps them
// here.
//
// A miss ring also has replies of upstream servers that workers received (msg_heard), and an answer
// ring also has queries to these servers (msg_send).
//
// Misses: the resolver's gong (gong.h), which all workers strike, wakes the loop. The loop then
// reads the miss rings for this resolver until they are empty, and goes to sleep on each by
// ring_prepare_sleep. It passes over an empty ring on which it sleeps. It reads at most
// WORKER_RINGS_BURST messages of a ring at once, so that upstream replies are not starved. While
// the loop pauses between turns (loop.h), no worker strikes the gong: the loop reads the rings
// after each pause. A turn that begins with empty rings sleeps on them as usual. Every message is
// copied out and checked before use; a message of another shape is counted as foreign and dropped.
//
// If this life has fewer resolvers than the last one, the first resolver reads the rings of the
// others until the workers have activated the new cache. If a resolver's rings are missing 1 s
// after that, this is logged once, and counted as an anomaly.
//
// An answer goes to the answer ring of the worker that sent the miss. An answer that finds the ring
// full is lost and counted: the client asks again. So is an answer for an evicted worker
// (publish.c). The loop rings the bell of a sleeping worker at once, or, while it pauses between
// turns, after each eight publications and at the end of the turn.

#include "base/loop.h"
#include "publish.h"

#include <weir/l0_writer.h>
#include <weir/shm_msg.h>

struct worker_rings;

enum { WORKER_RINGS_BURST = 256 };

typedef void (*worker_rings_miss_fn)(void *arg, const struct msg_miss *m, const uint8_t *question);
// Takes a reply of an upstream server. `dns`: m->dns_len bytes.
typedef void (*worker_rings_heard_fn)(void *arg, const struct msg_heard *m, const uint8_t *dns);

struct worker_rings_stats {
	uint64_t foreign;        // messages of another run, worker or shape, or changed on the way
	uint64_t ring_anomalies; // malformed indices and message headers
	uint64_t answers, answer_ring_full, answer_evicted, answer_foreign;
	uint64_t sends, send_ring_full; // queries to upstreams
};

ATTR_MUST_CHECK int worker_rings_new(struct worker_rings **out, struct loop *loop,
	struct publisher *publisher, struct l0_writer *l0, unsigned resolver);
void worker_rings_free(struct worker_rings *l); // NULL is fine
// Sets `miss`, which gets the misses. Called before the loop runs.
void worker_rings_serve(struct worker_rings *l, worker_rings_miss_fn miss, void *arg);
// Sets `heard`, which gets replies of upstream servers; without it they are counted as foreign.
void worker_rings_hear(struct worker_rings *l, worker_rings_heard_fn heard, void *arg);
// Sets `marked`, which is called after marks of workers were mapped. Refresh marks in them may be
// of requests to an earlier control plane.
typedef void (*worker_rings_marks_fn)(void *arg);
void worker_rings_on_marks(struct worker_rings *l, worker_rings_marks_fn marked, void *arg);

struct querylog;
void worker_rings_set_log(
	struct worker_rings *l, struct querylog *q); // only the first resolver's; NULL: no thread
						     // empties the log rings

// Maps the rings of all workers for this resolver and begins to serve them, in place of those
// attached before. `bells`: the ends by which to ring each worker. The caller keeps `bells` and
// `gong`, this resolver's, open until these rings are detached or others are attached.
ATTR_MUST_CHECK int worker_rings_attach(struct worker_rings *l, const struct link_hello *hello,
	const int *bells, int gong, char why[SHM_WHY_MAX]);
void worker_rings_detach(struct worker_rings *l); // the data plane is dead
unsigned worker_rings_count(const struct worker_rings *l);
uint64_t worker_rings_incarnation(const struct worker_rings *l); // 0: no rings attached

// Called each 100 ms. Checks for marks, and for rings of a resolver other than the first, which
// appear once the data plane has activated the generation of L0. Then polls all rings: the words
// that tell a worker that this loop sleeps, and that there is room, are shared memory. If they were
// overwritten, the worker would not strike the gong, and this loop would not correct them.
void worker_rings_beat(struct worker_rings *l);

// Whether a worker has set this mark of the record. MARK_VISITED: since SIEVE's hand passed;
// MARK_REFRESH: the worker waits for a new copy.
bool worker_rings_marked(const struct worker_rings *l, uint32_t record, uint8_t which);

// Puts an answer on the ring, visible after worker_rings_publish. False: it is dropped and counted.
bool worker_rings_answer(struct worker_rings *l, const struct msg_answer *head, const uint8_t *dns);
void worker_rings_publish(struct worker_rings *l);
// Puts a query to an upstream server on the ring of a worker, and fills in dp_incarnation. It is
// visible at the end of the turn, or after worker_rings_publish. -ENOLINK: no such worker, or it is
// evicted; -EAGAIN: the ring is full.
ATTR_MUST_CHECK int worker_rings_send(
	struct worker_rings *l, unsigned worker, const struct msg_send *head, const uint8_t *dns);
// Bits of the workers that have a hops image and a heartbeat younger than `dead_ms`, and poll the
// rings of this resolver.
uint64_t worker_rings_live(const struct worker_rings *l, uint64_t now_ms, unsigned dead_ms);

void worker_rings_stats(const struct worker_rings *l, struct worker_rings_stats *out);
