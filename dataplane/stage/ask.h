// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A question for the control plane, on the worker's miss ring for the resolver that has the key's
// share of L0 (the first one, while there is no L0): all that the answer needs to find
// its client (shm_msg.h), so that the packet itself can go. Costs a copy of about 140 bytes; the
// message is seen by the other side after stage_miss has published the batch's.

#include "batch.h"

enum { ASK_REPLIES_SHARE = 16 }; // one unit in so many of a ring, where resolvers use the port

unsigned ask_resolver(const struct batch *b, const struct packet *p);

// `kind`: MISS_WAITER with its ticket (dedup.h), or MISS_REFRESH, which has none: 0. The packet
// must still be the query as received. False: the ring is full, but for what is kept for replies.
ATTR_MUST_CHECK bool ask_control(
	struct batch *b, const struct packet *p, uint8_t kind, uint32_t ticket);

// A NOTIFY for the control plane, with the message, so that its TSIG can be verified. At most
// 1,000 a second of a worker go (closed_pace); others are dropped, as senders ask again. False: it
// is none, or nobody takes it.
ATTR_MUST_CHECK bool ask_notify(struct batch *b, struct packet *p);

// The rings of `resolvers`, one bit each, on which something was put: makes it visible, and rings
// for those that sleep: one system call for each, so after all packets are out.
void ask_publish(struct worker *w, unsigned resolvers);
void ask_wake(struct worker *w, unsigned resolvers);
