// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A DNS reply in the packet that brought the query: the message by dns_reply.h, the headers by
// frame.h, and the packet settled with its verdict. What does not fit the packet's buffer is sent
// truncated (TC); where not even the question fits, the packet is dropped as drop_no_room.

#include "batch.h"

// A stored answer. `stale`: past its soft expiry, sent with the stale TTL and an Extended DNS Error
// (RFC 8767 4, RFC 8914 4.4 and 4.20).
void reply_answer(struct batch *b, struct packet *p, const struct l0_view *view, bool stale);

// Before the headers are written: puts the addresses of a reply of `len` bytes in the order whose
// turn it is, and takes from the client's buckets what its length comes to.
void reply_more(struct batch *b, struct packet *p, uint32_t len);
// The latter of a reply that goes to a client by itself. `ip`: as in a packet. `proven`: its query
// was one of batch_is_proven.
void reply_charge(struct worker *w, unsigned version, const uint8_t *ip, bool proven, uint32_t len);

// A rule's reply: the records that its image has for the name, or a way to say that it is blocked,
// its own or that of the client's group (rule_reply.h), or none at all. A rule of local data does
// not block: its verdict is `local`, without an EDE.
void reply_ruled(struct batch *b, struct packet *p, const struct rule_decision *d);

// Settles a query for a record whose answer the client's group blocks. False: it does not.
bool reply_checked(struct batch *b, struct packet *p, const struct l0_view *view);

// ANY, minimally (dns_reply_any).
void reply_any(struct batch *b, struct packet *p);

// Answers a query about weir's identity (dns_identity.h). False: not settled.
bool reply_identity(struct batch *b, struct packet *p);

// For the query log: the error of a reply of `len` bytes, if it had room for it.
void reply_note_ede(struct batch *b, const struct packet *p, uint16_t len, int ede);
// A reply without records. `ede`: enum dns_ede.
void reply_rcode(struct batch *b, struct packet *p, uint16_t rcode, int ede, enum verdict v);

// Nothing but TC: a real client asks again over TCP.
void reply_truncated(struct batch *b, struct packet *p, enum verdict v);
