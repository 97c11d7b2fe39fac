// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Rings between threads of this process: each thread of one side has a pair with each thread of the
// other, as a worker and a resolver have them in shared memory (weir/shm_ring.h).
//
// The mesh owns the memory and one eventfd for each thread: made before any of the loops runs,
// freed once all ends are closed. An end is its loop's: opened before the loop runs, else used on
// its thread alone. A message is reserved, written, and visible to the peer at the end of the turn
// of the loop, all of a turn at once, with one write to the eventfd of a peer that sleeps. The peer
// copies each message out and hands it to its `take`, RING_MESH_BURST of a ring in a turn.
// Full: ring_mesh_reserve says so, and the ring counts it; a message is never overwritten. Costs
// two copies of a message, and two system calls for each peer that sleeps; nothing is allocated.

#include "loop.h"

enum { RING_MESH_MAX = 8, RING_MESH_BURST = 256, RING_MESH_TAILROOM = 64 };

struct ring_mesh;
struct ring_mesh_end;

struct ring_mesh_side {
	unsigned threads; // 1 to RING_MESH_MAX
	uint32_t units;   // of each ring that it reads: a power of two, 8 at least
};
// `message`: bytes of the longest message; a quarter of a ring is the most.
ATTR_MUST_CHECK int ring_mesh_new(
	struct ring_mesh **out, const struct ring_mesh_side side[2], uint32_t message);
void ring_mesh_free(struct ring_mesh *m); // NULL is fine

// A message of thread `peer` of the other side. `msg` may be changed during the call, with
// RING_MESH_TAILROOM bytes behind it.
typedef void (*ring_mesh_take_fn)(
	void *arg, unsigned peer, uint16_t type, uint8_t *msg, uint32_t len);
// Thread `number` of side 0 or 1. -ENOMEM.
ATTR_MUST_CHECK int ring_mesh_open(struct ring_mesh_end **out, struct ring_mesh *m, unsigned side,
	unsigned number, struct loop *loop, ring_mesh_take_fn take, void *arg);
void ring_mesh_close(struct ring_mesh_end *e); // NULL is fine

// Room for a message to that peer, aligned to 8 bytes. NULL: the ring is full, counted.
ATTR_MUST_CHECK void *ring_mesh_reserve(
	struct ring_mesh_end *e, unsigned peer, uint16_t type, uint32_t len);

// Is more than half of the ring to that peer in use?
ATTR_MUST_CHECK bool ring_mesh_is_half_full(struct ring_mesh_end *e, unsigned peer);

struct ring_mesh_status {
	uint64_t full;        // messages, both ways, for which a ring of this end had no room
	uint64_t anomalies;   // nonsense in a ring
	uint64_t units, used; // of the rings that it reads
	uint64_t bytes;       // of memory, with those
};
void ring_mesh_status(const struct ring_mesh_end *e, struct ring_mesh_status *out);
