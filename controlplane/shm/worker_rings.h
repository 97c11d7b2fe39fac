// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The worker rings of the attached data plane: misses in, answers out. Resolver loop's thread only.
//
// a worker's rings' bell (bell.h) wakes the loop; its miss ring is then read until it is empty, at
// most WORKER_RINGS_BURST messages a look so that upstream replies are not starved, and the loop
// goes to sleep on it by ring_prepare_sleep. While the loop rests (loop.h) it looks at the rings
// itself when a rest is over and before the next, and no worker rings for it; a turn that begins
// with a look that finds nothing sleeps on them as ever. Every message is copied out and checked
// before use; one that does not fit is counted as foreign and dropped. Answers go to the ring of
// the rings of the worker that asked; a full ring is a counted loss, the client asks again. A
// worker that sleeps is rung for at once, or, while the loop rests, after each eight publications
// and at the end of the turn.

#include "base/loop.h"
#include "publish.h"

#include <weir/l0_writer.h>
#include <weir/shm_msg.h>

struct worker_rings;

enum { WORKER_RINGS_BURST = 256 };

typedef void (*worker_rings_miss_fn)(void *arg, const struct msg_miss *m, const uint8_t *question);

struct worker_rings_stats {
	uint64_t foreign;        // messages of another life, worker rings or shape
	uint64_t ring_anomalies; // nonsense in an index or a message header
	uint64_t answers, answer_ring_full, answer_foreign;
};

ATTR_MUST_CHECK int worker_rings_new(struct worker_rings **out, struct loop *loop,
	struct publisher *publisher, struct l0_writer *l0);
void worker_rings_free(struct worker_rings *l); // NULL is fine
// From now on misses go to `miss`. Before the loop runs.
void worker_rings_serve(struct worker_rings *l, worker_rings_miss_fn miss, void *arg);

struct querylog;
void worker_rings_set_log(
	struct worker_rings *l, struct querylog *q); // NULL: no thread empties the log rings

// Maps rings.0 .. rings.<workers - 1> and starts to serve them, in place of those attached before.
// `bells`, a pair (LINK_BELL_*) for each worker, are taken on success.
ATTR_MUST_CHECK int worker_rings_attach(struct worker_rings *l, const struct link_hello *hello,
	const int *bells, char why[SHM_WHY_MAX]);
void worker_rings_detach(struct worker_rings *l); // its process is dead
unsigned worker_rings_count(const struct worker_rings *l);
uint64_t worker_rings_incarnation(const struct worker_rings *l); // 0: none attached

// Each 100 ms: checks for marks regions, which appear once a worker activated the l0 generation,
// and then polls all rings. The words that tell a worker that this loop sleeps, and that there
// is room, are shared; if they were overwritten, the worker would not ring and this loop would not
// correct them.
void worker_rings_beat(struct worker_rings *l);

// Has any worker marked the record so? MARK_VISITED: since SIEVE's hand passed; MARK_REFRESH: it
// waits for a new copy.
bool worker_rings_marked(const struct worker_rings *l, uint32_t record, uint8_t which);

// Puts an answer on the ring; visible after worker_rings_publish. False: counted and dropped.
bool worker_rings_answer(struct worker_rings *l, const struct msg_answer *head, const uint8_t *dns);
void worker_rings_publish(struct worker_rings *l);

void worker_rings_stats(const struct worker_rings *l, struct worker_rings_stats *out);
