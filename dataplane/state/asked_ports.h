// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// From which local ports queries to upstream servers left of late (weir/hops.h).
//
// A worker that sends a query notes its port, and each worker that receives a reply to it takes one
// of the ASKED_REPLIES that a query may get within ASKED_TICKS. A flood of forged replies therefore
// costs a resolver no more than so many for each query of its own; the others go the way of all
// frames for the kernel.
//
// One table for all workers: a reply comes to the one that the NIC picks. A word for each port,
// with the time of the last query and what is left. Any worker reads and writes, no lock: a word is
// always consistent, and a lost update lets one more reply pass. A word of long ago looks recent
// for 8 s in each 17 minutes, so what is left of it may pass then. 128 KiB; a load and a store for
// a query or a reply.
//
// An AF_XDP port has one more, in a map of its steering program (weir/steer_abi.h), which sends to
// workers only replies to the ports noted there. Nothing is taken from it.

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <weir/attr.h>
#include <weir/steer_abi.h>

enum {
	ASKED_REPLIES = 15, // the lower 4 bits of a word
	ASKED_BITS = STEER_ASKED_BITS,
	ASKED_TICK_MS = STEER_ASKED_TICK_MS,
	ASKED_TICKS = STEER_ASKED_TICKS, // 8 s: no client waits as long
	ASKED_SKEW = 4,                  // ticks that another worker's clock may be ahead
	ASKED_AGE_MASK = STEER_ASKED_AGE_MASK,
};

struct asked_ports {
	_Atomic uint16_t port[UINT16_MAX + 1];
};
static_assert(sizeof(struct asked_ports) == sizeof(struct steer_asked));

ATTR_INLINE void asked_ports_note(struct asked_ports *a, uint16_t port, uint64_t now_ms)
{
	const uint64_t tick = now_ms / ASKED_TICK_MS & ASKED_AGE_MASK;
	atomic_store_explicit(&a->port[port], (uint16_t)(tick << ASKED_BITS | ASKED_REPLIES),
		memory_order_relaxed);
}

// May a reply to that port pass? Uses it up.
ATTR_INLINE bool asked_ports_take(struct asked_ports *a, uint16_t port, uint64_t now_ms)
{
	const unsigned was = atomic_load_explicit(&a->port[port], memory_order_relaxed);
	const uint64_t age =
		(now_ms / ASKED_TICK_MS + ASKED_SKEW - (was >> ASKED_BITS)) & ASKED_AGE_MASK;
	if (was % (1u << ASKED_BITS) == 0 || age > ASKED_TICKS + ASKED_SKEW)
		return false;
	atomic_store_explicit(&a->port[port], (uint16_t)(was - 1), memory_order_relaxed);
	return true;
}
