// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// NOTIFY (RFC 1996) of servers of transferred zones: whether one is ours, and when it makes which
// list due.
//
// An entry is a list with the zone and the address of its server, and the key that the server must
// sign with, if the list has one. A NOTIFY is taken from that address alone, for that zone. The
// first one makes the list due at once; another one within LIST_NOTIFY_DISTANCE_S makes it due that
// long after the first, as the zone may have changed since, and all others until then change
// nothing. So a flood of them costs a look-up each, and one question for the SOA in ten seconds.
//
// Frontends call list_notify_take on their threads; the rest is for the service loop's thread. A
// lock is held for a look-up among CONFIG_LISTS_MAX entries and one HMAC. Owned by the process,
// which frees it when no frontend runs any more. 700 bytes for each entry.

#include "base/loop.h"
#include "transfer/tsig.h"

enum { LIST_NOTIFY_DISTANCE_S = 10 };

// The counts of them. X(name, text)
#define LIST_NOTIFY_OUTCOMES(X)                                               \
	X(taken, "the list is due now")                                       \
	X(soon, "the list is due ten seconds after the last one")             \
	X(not_zone, "NOTAUTH: no list has this zone by transfer")             \
	X(not_server, "REFUSED: from another address than the zone's server") \
	X(not_signed, "NOTAUTH: without the list's key, or not signed right by it")

struct list_notify_counts {
#define X(name, text) uint64_t name;
	LIST_NOTIFY_OUTCOMES(X)
#undef X
};

enum list_notify_outcome {
#define X(name, text) LIST_NOTIFY_##name,
	LIST_NOTIFY_OUTCOMES(X)
#undef X
		LIST_NOTIFY_OUTCOMES_COUNT
};

struct list_notify_entry {
	struct dns_name zone;
	struct ip_address server;
	const struct config_tsig_key *key; // NULL: none; copied
	unsigned list;                     // the owner's number of it
};

// How to sign the reply.
struct list_notify_reply {
	bool is_signed;
	struct config_tsig_key key; // tsig.key
	struct tsig tsig;
};

struct list_notify;
// -ENOMEM. `service`: the loop of list_notify_on_due.
ATTR_MUST_CHECK int list_notify_new(struct list_notify **out, struct loop *service);
void list_notify_free(struct list_notify *z); // NULL is fine

// `due(arg)` on the service loop: some lists are due (list_notify_next). `due` NULL: nobody
// listens. `z` may be NULL.
void list_notify_on_due(struct list_notify *z, void (*due)(void *arg), void *arg);
// The entries from now on. -ENOMEM: those of before stay.
ATTR_MUST_CHECK int list_notify_set(
	struct list_notify *z, const struct list_notify_entry *entry, unsigned count);
// One list that became due, with the time when (clock_mono_ms). False: no more.
bool list_notify_next(struct list_notify *z, unsigned *list, uint64_t *due_ms);

// A NOTIFY for this zone, from this address; `msg` is the message as received. Any thread. Wipe
// `reply` afterwards.
enum list_notify_outcome list_notify_take(struct list_notify *z, const struct ip_address *from,
	const struct dns_name *zone, const uint8_t *msg, size_t len,
	struct list_notify_reply *reply);
// Are there entries at all? Any thread.
bool list_notify_any(const struct list_notify *z);

void list_notify_counts(
	const struct list_notify *z, struct list_notify_counts *out); // any thread; NULL: 0
