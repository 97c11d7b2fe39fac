// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A DNS reply in the packet that brought the query: the message by dns_reply.h, the headers by
// frame.h, and the packet settled with its verdict. What does not fit the packet's buffer is sent
// truncated (TC); where not even the question fits, the packet is dropped as drop_no_room.

#include "batch.h"

// A stored answer. `stale`: past its soft expiry, sent with the stale TTL and an Extended DNS Error
// (RFC 8767 4, RFC 8914 4.4 and 4.20).
void reply_answer(struct batch *b, struct packet *p, const struct l0_view *view, bool stale);

void reply_blocked(struct batch *b, struct packet *p);

// A reply without records. `ede`: enum dns_ede.
void reply_rcode(struct batch *b, struct packet *p, uint16_t rcode, int ede, enum verdict v);
