// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// NOTIFY (RFC 1996) of servers of transferred zones: whether one is ours, and when it makes which
// list due.
//
// An entry is a list with the zone and the address of its server, and the key that the server must
// sign with, if the list has one. A NOTIFY is taken from that address alone, for that zone, by each
// entry that has no key or the one that signed it. The first one makes the list due at once;
// another one within LIST_NOTIFY_DISTANCE_S makes it due that long after the first, as the zone may
// have changed since, and all others until then change nothing. So a flood of them costs a look-up
// each, and one question for the SOA in ten seconds.
//
// Frontends call list_notify_take on their threads; the rest is for the service loop's thread. A
// lock is held for a look-up among CONFIG_LISTS_MAX entries and an HMAC for each of the zone and
// the server that has the key's name. Owned by the process, which frees it when no frontend runs
// any more. 700 bytes for each entry.

#include "base/loop.h"
#include "transfer/tsig.h"

#include <weir/dns_query.h>
#include <weir/shm_msg.h>
#include <weir/shm_stats.h>

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
	const struct config_tsig_key *key; // copied; may be NULL
	unsigned list;                     // the owner's number of it
};

// How to sign the reply.
struct list_notify_reply {
	bool is_signed;             // the query is, by this key
	struct config_tsig_key key; // tsig.key
	struct tsig tsig; // has an error (tsig_refuse_reply) if some key was wanted and none fits
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

// A message with another opcode than QUERY.
struct list_notify_message {
	unsigned ip_version;
	const uint8_t *client; // the client's address
	const uint8_t *msg;
	size_t len;
	struct dns_query *query; // the parsed query, without the transport's options afterwards
};
// Takes it, if it is a NOTIFY. VERDICT_miss: it is none, or nobody here takes one; VERDICT_local,
// VERDICT_refused: the reply of *len bytes is in `reply`, which has room for DNS_MESSAGE_MAX and
// begins with header and question of the message. *len 0: there was no memory for one. Any thread.
enum verdict list_notify_answer(
	struct list_notify *z, const struct list_notify_message *m, uint8_t *reply, uint16_t *len);
// list_notify_take for a miss of the kind MISS_NOTIFY, whose numbers fit its length; `z` NULL:
// NOTIMP. False: it is no NOTIFY. Else head->dns_len bytes, 0: no memory, are in `reply`. Any
// thread.
ATTR_MUST_CHECK bool list_notify_of_worker(struct list_notify *z, const struct msg_miss *m,
	const uint8_t *question, uint8_t *reply, struct msg_answer *head);

void list_notify_counts(
	const struct list_notify *z, struct list_notify_counts *out); // any thread; NULL: 0
