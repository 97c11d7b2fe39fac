// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Byte ring for one producer and one consumer in two processes.
//
// Data is an array of units of 64 bytes, a power of two of them. A message is a ring_unit header
// and its bytes, contiguous, rounded up to whole units; where it would wrap, a pad message fills
// the end. There is one index per side: the producer writes slots and then publishes by one release
// store of `tail`, the consumer copies out and then frees by one release store of `head`. So a
// death at any instruction leaves nothing to repair: unpublished messages are invisible, and the
// successor of a dead consumer reads at most one batch again. (rte_ring moves two producer indices;
// a producer killed between them makes its successor publish stale slots.)
//
// The other side's index and the data are not trusted: a difference above the ring's size, a header
// that does not fit what was published, or an unknown shape resets the consumer to `tail` and is
// counted in `anomalies`; a producer that sees an impossible index treats the ring as full, and
// counts it.
//
// Doorbell: a consumer that is about to sleep sets `sleeping` and looks again (ring_prepare_sleep);
// a producer, once per batch and after its packets are sent, calls ring_wants_wake (full fence) and
// only then rings the bell. Cost of a message: its copy and one store; no lock, no syscall.

#include "attr.h"
#include "shm_abi.h"

#include <stdbool.h>
#include <string.h>

struct ring_unit {
	uint32_t len;   // bytes behind this header
	uint16_t units; // units of the whole message, header included
	uint16_t type;  // enum shm_msg_type
};
static_assert(sizeof(struct ring_unit) == 8);

struct ring_producer {
	struct ring_index *tail;       // written by this side, shared
	const struct ring_index *head; // the consumer's
	uint8_t *data;
	uint64_t units;     // private copy of the size
	uint64_t next;      // first unit not yet reserved
	uint64_t published; // what `tail` holds
	uint64_t head_seen;
	uint64_t anomalies;
};

struct ring_consumer {
	const struct ring_index *tail;
	struct ring_index *head;
	const uint8_t *data;
	uint64_t units;
	uint64_t next; // first unit not yet read
	uint64_t tail_seen;
	uint64_t anomalies;
};

// Both take up where the shared index of their own side stands (a restart goes on from there).
void ring_producer_init(struct ring_producer *p, struct ring_index *tail,
	const struct ring_index *head, void *data, uint64_t units);
void ring_consumer_init(struct ring_consumer *c, const struct ring_index *tail,
	struct ring_index *head, const void *data, uint64_t units);

// Room for a message of `len` bytes (aligned to 8 bytes), or NULL: full, or longer than a quarter
// of the ring. Invisible to the consumer until ring_publish.
ATTR_MUST_CHECK void *ring_reserve(struct ring_producer *p, uint16_t type, uint32_t len);
// `units` contiguous units, for a batch of messages whose headers (ring_header_put) and bytes the
// caller writes one behind the other; NULL: full, or the end of the ring is nearer. ring_span_take
// then reserves the units that were written.
ATTR_MUST_CHECK uint8_t *ring_span(struct ring_producer *p, uint64_t units);
ATTR_INLINE void ring_span_take(struct ring_producer *p, uint64_t units)
{
	p->next += units;
}

// Units of a message with `len` bytes behind its header.
ATTR_INLINE uint64_t ring_units_of(uint32_t len)
{
	return ((uint64_t)len + sizeof(struct ring_unit) + RING_UNIT - 1) / RING_UNIT;
}

// Headers move as one word each way, so that the consumer checks exactly what it uses, also
// when the producer changes it meanwhile.
ATTR_INLINE void ring_header_put(uint8_t *unit, struct ring_unit h)
{
	uint64_t word;
	memcpy(&word, &h, sizeof(word));
	__atomic_store_n((uint64_t *)(void *)unit, word, __ATOMIC_RELAXED);
}

// Are more than `units` in use? Reads the consumer's index only if its last known value allows
// that. An impossible index counts as a full ring.
bool ring_is_fuller(struct ring_producer *p, uint64_t units);
void ring_publish(struct ring_producer *p);    // everything reserved since the last call
bool ring_wants_wake(struct ring_producer *p); // after ring_publish: is the consumer asleep?

// Copies the next message's bytes to buf. Its length, or 0 when there is none (messages are never
// empty) or -EPROTO after a reset. A message longer than `cap` is skipped and counted as anomaly.
// One call walks one lap at most; how many calls a poll makes is the caller's bound.
ATTR_MUST_CHECK int ring_read(struct ring_consumer *c, void *buf, uint32_t cap, uint16_t *type);
// Gives back all that was read. Call it in each poll, also when there was nothing to read: it
// compares with the shared word, and so puts a scribbled one right.
void ring_release(struct ring_consumer *c);
bool ring_prepare_sleep(struct ring_consumer *c); // true: nothing there, `sleeping` is set
void ring_awake(struct ring_consumer *c);         // clears `sleeping`

uint64_t ring_consumer_used(const struct ring_consumer *c); // units
