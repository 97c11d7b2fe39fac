// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Rings between threads of this process: each thread of one side has a pair with each thread of the
// other side, like a worker and a resolver in shared memory (weir/shm_ring.h).
//
// The mesh owns the memory and one eventfd for each thread. It is made before any loop runs, and
// freed once all ends are closed. An end belongs to a loop: it is opened before the loop runs, and
// then used only on the loop's thread. A message is reserved and written; all messages of a turn of
// the loop become visible to a peer at the end of the turn, with one write to the eventfd of a peer
// that sleeps. The peer copies each message out and passes it to `take`, up to RING_MESH_BURST
// messages of a ring in a turn. If a ring is full, ring_mesh_reserve returns NULL and the ring
// counts it; no message is overwritten. A message costs two copies, and two system calls for each
// peer that sleeps; nothing is allocated.

#include "loop.h"

enum { RING_MESH_MAX = 8, RING_MESH_BURST = 256, RING_MESH_TAILROOM = 64 };

struct ring_mesh;
struct ring_mesh_end;

struct ring_mesh_side {
	unsigned threads; // 1 to RING_MESH_MAX
	uint32_t units;   // size of each ring that a thread reads: a power of two, at least 8
};
// `message`: bytes of the longest message, at most a quarter of a ring.
ATTR_MUST_CHECK int ring_mesh_new(
	struct ring_mesh **out, const struct ring_mesh_side side[2], uint32_t message);
void ring_mesh_free(struct ring_mesh *m); // NULL is fine

// Takes a message of thread `peer` of the other side. The call may change `msg` and
// RING_MESH_TAILROOM bytes after it.
typedef void (*ring_mesh_take_fn)(
	void *arg, unsigned peer, uint16_t type, uint8_t *msg, uint32_t len);
// Thread `number` of side 0 or 1. -ENOMEM.
ATTR_MUST_CHECK int ring_mesh_open(struct ring_mesh_end **out, struct ring_mesh *m, unsigned side,
	unsigned number, struct loop *loop, ring_mesh_take_fn take, void *arg);
void ring_mesh_close(struct ring_mesh_end *e); // NULL is fine

// Room for a message to a peer, aligned to 8 bytes. NULL: the ring is full, which is counted.
ATTR_MUST_CHECK void *ring_mesh_reserve(
	struct ring_mesh_end *e, unsigned peer, uint16_t type, uint32_t len);

// Whether more than half of the ring to a peer is in use.
ATTR_MUST_CHECK bool ring_mesh_is_half_full(struct ring_mesh_end *e, unsigned peer);

struct ring_mesh_status {
	uint64_t full;        // messages, both ways, for which a ring of this end had no room
	uint64_t anomalies;   // malformed content of a ring
	uint64_t units, used; // units of the rings that this end reads, and units in use
	uint64_t bytes;       // memory of this end and its rings
};
void ring_mesh_status(const struct ring_mesh_end *e, struct ring_mesh_status *out);
