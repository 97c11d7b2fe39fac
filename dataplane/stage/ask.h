// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A question for the control plane, on the worker's miss ring: all that the answer needs to find
// its client (shm_msg.h), so that the packet itself can go. Costs a copy of about 140 bytes; the
// message is seen by the other side after stage_miss has published the batch's.

#include "batch.h"

// `kind`: MISS_WAITER with its ticket (dedup.h), or MISS_REFRESH, which has none: 0. The packet
// must still be the query as received. False: the ring is full.
ATTR_MUST_CHECK bool ask_control(
	struct batch *b, const struct packet *p, uint8_t kind, uint32_t ticket);
