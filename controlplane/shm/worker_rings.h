// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The worker rings of the attached data plane as one resolver uses them: misses in, answers out.
// Its loop's thread only; it maps all for itself, so no other thread's detach unmaps anything here.
//
// A miss ring also has what workers hear from upstreams (msg_heard), and an answer ring queries to
// these (msg_send).
//
// Misses: the resolver's gong (bell.h), which all workers strike, wakes the loop. The loop then
// reads the miss rings for this resolver until they are empty, and goes to sleep on each by
// ring_prepare_sleep; it passes over one on which it sleeps and that is empty. It reads
// WORKER_RINGS_BURST messages of a ring in one look at most, so that upstream replies are not
// starved. While the loop pauses between slices (loop.h), no worker rings for it: it looks at the
// rings itself after each pause. A turn that begins with a look that finds nothing sleeps on the
// rings as usual. Every message is copied out and checked before use; a message of another shape is
// counted as foreign and dropped.
//
// Rings of resolvers that are gone, because this life has fewer, are read by the first resolver
// until the workers have activated the new cache. Rings of its own that are missing 1 s after that
// are logged once, and counted as an anomaly.
//
// Answers go to the answer ring of the worker that sent the miss. A full ring is a counted loss:
// the client asks again. So is an answer for a worker that is evicted (publish.c). The loop
// rings for a sleeping worker at once, or, while it pauses between slices, after each eight
// publications and at the end of the turn.

#include "base/loop.h"
#include "publish.h"

#include <weir/l0_writer.h>
#include <weir/shm_msg.h>

struct worker_rings;

enum { WORKER_RINGS_BURST = 256 };

typedef void (*worker_rings_miss_fn)(void *arg, const struct msg_miss *m, const uint8_t *question);
// `dns`: m->dns_len bytes.
typedef void (*worker_rings_heard_fn)(void *arg, const struct msg_heard *m, const uint8_t *dns);

struct worker_rings_stats {
	uint64_t foreign; // messages of another life, worker rings or shape, or changed on the way
	uint64_t ring_anomalies; // nonsense in an index or a message header
	uint64_t answers, answer_ring_full, answer_evicted, answer_foreign;
	uint64_t sends, send_ring_full; // queries to upstreams
};

ATTR_MUST_CHECK int worker_rings_new(struct worker_rings **out, struct loop *loop,
	struct publisher *publisher, struct l0_writer *l0, unsigned resolver);
void worker_rings_free(struct worker_rings *l); // NULL is fine
// From now on misses go to `miss`. Before the loop runs.
void worker_rings_serve(struct worker_rings *l, worker_rings_miss_fn miss, void *arg);
// The same for what workers hear from upstreams; without it that is counted as foreign.
void worker_rings_hear(struct worker_rings *l, worker_rings_heard_fn heard, void *arg);
// `marked` after marks of workers were mapped. Refresh marks in them may be of requests that an
// earlier control plane got.
typedef void (*worker_rings_marks_fn)(void *arg);
void worker_rings_on_marks(struct worker_rings *l, worker_rings_marks_fn marked, void *arg);

struct querylog;
void worker_rings_set_log(
	struct worker_rings *l, struct querylog *q); // the first resolver's only; NULL: no thread
						     // empties the log rings

// Maps the rings of all workers for this resolver and starts to serve them, in place of those
// attached before. `bells`, the ends that ring of the workers' in turn, and this resolver's `gong`
// stay the caller's, and open until these rings are detached or others are attached.
ATTR_MUST_CHECK int worker_rings_attach(struct worker_rings *l, const struct link_hello *hello,
	const int *bells, int gong, char why[SHM_WHY_MAX]);
void worker_rings_detach(struct worker_rings *l); // its process is dead
unsigned worker_rings_count(const struct worker_rings *l);
uint64_t worker_rings_incarnation(const struct worker_rings *l); // 0: none attached

// Each 100 ms: checks for marks and for the rings of another resolver than the first, which appear
// once the data plane activated the l0 generation, and then polls all rings. The words that tell a
// worker that this loop sleeps, and that there is room, are shared; if they were overwritten, the
// worker would not ring and this loop would not correct them.
void worker_rings_beat(struct worker_rings *l);

// Has any worker marked the record so? MARK_VISITED: since SIEVE's hand passed; MARK_REFRESH: it
// waits for a new copy.
bool worker_rings_marked(const struct worker_rings *l, uint32_t record, uint8_t which);

// Puts an answer on the ring; visible after worker_rings_publish. False: counted and dropped.
bool worker_rings_answer(struct worker_rings *l, const struct msg_answer *head, const uint8_t *dns);
void worker_rings_publish(struct worker_rings *l);
// Puts a query to an upstream on the ring of a worker; dp_incarnation is filled in here. Visible at
// the end of the turn, or after worker_rings_publish. -ENOLINK: no such worker; -EAGAIN: the ring
// is full.
ATTR_MUST_CHECK int worker_rings_send(
	struct worker_rings *l, unsigned worker, const struct msg_send *head, const uint8_t *dns);
// Bits of the workers that have a hops image and whose heartbeat is younger than that.
uint64_t worker_rings_live(const struct worker_rings *l, uint64_t now_ms, unsigned dead_ms);

void worker_rings_stats(const struct worker_rings *l, struct worker_rings_stats *out);
