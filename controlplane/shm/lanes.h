// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The lanes of the attached data plane: misses in, answers out. Resolver loop's thread only.
//
// A lane's bell (bell.h) wakes the loop; its miss ring is then read until it is empty, at most
// LANES_BURST messages a look so that upstream replies are not starved, and the loop goes to sleep
// on it by ring_prepare_sleep. While the loop rests (loop.h) it looks at the rings itself when a
// rest is over and before the next, and no worker rings for it; a turn that begins with a look that
// finds nothing sleeps on them as ever. Every message is copied out and checked before use; one
// that does not fit is counted as foreign and dropped. Answers go to the ring of the lane that
// asked; a full ring is a counted loss, the client asks again. A worker that sleeps is rung for at
// once, or, while the loop rests, after each eight publications and at the end of the turn.

#include "base/loop.h"
#include "publish.h"

#include <weir/l0_writer.h>
#include <weir/shm_msg.h>

struct lanes;

enum { LANES_BURST = 256 };

typedef void (*lanes_miss_fn)(void *arg, const struct msg_miss *m, const uint8_t *question);

struct lanes_stats {
	uint64_t foreign;        // messages of another life, lane or shape
	uint64_t ring_anomalies; // nonsense in an index or a message header
	uint64_t answers, answer_ring_full, answer_foreign;
};

ATTR_MUST_CHECK int lanes_new(
	struct lanes **out, struct loop *loop, struct publisher *publisher, struct l0_writer *l0);
void lanes_free(struct lanes *l); // NULL is fine
// From now on misses go to `miss`. Before the loop runs.
void lanes_serve(struct lanes *l, lanes_miss_fn miss, void *arg);

struct querylog;
void lanes_set_log(struct lanes *l, struct querylog *q); // NULL: nobody empties the log rings

// Maps lane.0 .. lane.<workers - 1> and starts to serve them, in place of any attached before.
// `bells`, a pair (LINK_BELL_*) for each worker, are taken on success.
ATTR_MUST_CHECK int lanes_attach(
	struct lanes *l, const struct link_hello *hello, const int *bells, char why[SHM_WHY_MAX]);
void lanes_detach(struct lanes *l); // its process is dead
unsigned lanes_count(const struct lanes *l);
uint64_t lanes_incarnation(const struct lanes *l); // 0: none attached

// Each 100 ms: looks at all rings without being rung. The words by which a worker knows that we
// sleep, and that there is room, are shared; were they overwritten, it would not ring, and we not
// put them right. Then at marks regions, which appear once a worker activated the l0 generation.
void lanes_beat(struct lanes *l);

// Has any worker marked the record so? MARK_VISITED: since SIEVE's hand passed; MARK_REFRESH: it
// waits for a new copy.
bool lanes_marked(const struct lanes *l, uint32_t record, uint8_t which);

// Puts an answer on the ring; visible after lanes_publish. False: counted and dropped.
bool lanes_answer(struct lanes *l, const struct msg_answer *head, const uint8_t *dns);
void lanes_publish(struct lanes *l);

void lanes_stats(const struct lanes *l, struct lanes_stats *out);
