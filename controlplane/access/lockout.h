// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Clients of the control API that fail to prove who they are, by their address or by the name of a
// user: after LOCKOUT_TRIES failures within LOCKOUT_WINDOW_S that is locked out, for
// LOCKOUT_FIRST_S, then twice as long each time up to LOCKOUT_MOST_S. So is a /64 of IPv6 after
// SOURCE_NETWORK_TIMES as many of all its addresses. A success forgets the failures of its address
// before it, but neither a lock nor how many there were.
//
// A value of LOCKOUT_MAX addresses, networks and users; one more takes the place of the one that
// failed longest ago (counted). The service loop's thread; a call looks through the table. `now_s`:
// of a clock that is never set.

#include "base/source_key.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	LOCKOUT_MAX = 256,
	LOCKOUT_TRIES = 10,
	LOCKOUT_WINDOW_S = 60,
	LOCKOUT_FIRST_S = 60,
	LOCKOUT_MOST_S = 960,
};

// The failed logins that count together: an address's, or a user's, who may count apart for each
// address. A part that is absent is never locked out.
struct lockout_key {
	struct source_ids of;
};
struct lockout_key lockout_source(const struct sockaddr_storage *a);

struct lockout_entry {
	struct source_id id; // none: free
	unsigned failures, locks;
	uint64_t since_s, last_s, until_s;
};

struct lockout {
	struct lockout_entry entry[LOCKOUT_MAX];
	uint64_t failures, locked, evicted; // ever
};

// Seconds until there may be another try; 0: there may.
unsigned lockout_left(const struct lockout *l, struct lockout_key key, uint64_t now_s);
// What is locked out from here on; 0: nothing more.
enum lockout_scope { LOCKOUT_NONE, LOCKOUT_OWN, LOCKOUT_NETWORK };
enum lockout_scope lockout_failed(struct lockout *l, struct lockout_key key, uint64_t now_s);
void lockout_succeeded(struct lockout *l, struct lockout_key key);
unsigned lockout_used(const struct lockout *l);

// From where users have logged in. Failed logins from there count for that user there alone, and
// others' for the name: so strangers keep nobody out where she is known, and nobody beside her
// there has more tries. The latest LOCKOUT_PLACES_USER of each user and LOCKOUT_PLACES_MAX of all,
// also of lives before: the file of them has a line of hexadecimal digits for each.
enum {
	LOCKOUT_PLACES_MAX = 64,
	LOCKOUT_PLACES_USER = 8,
	LOCKOUT_PLACE_LEN = 9,
	LOCKOUT_PLACES_FILE_MAX = 16 + LOCKOUT_PLACES_MAX * (2 * LOCKOUT_PLACE_LEN + 1),
};

struct lockout_place {
	uint8_t bytes[LOCKOUT_PLACE_LEN]; // kind, user, the user at an IPv4 address or an IPv6 /64
};

struct lockout_places {
	struct lockout_place of[LOCKOUT_PLACES_MAX]; // the one of the oldest login first
	unsigned count;
};

// A login there. True: it is a new place.
bool lockout_place_add(
	struct lockout_places *p, const char *user, const struct sockaddr_storage *source);
// Under which a login counts: of the user at that address of a known place, or of the name.
struct lockout_key lockout_login(
	const struct lockout_places *p, const char *user, const struct sockaddr_storage *source);
unsigned lockout_places_used(const struct lockout_places *p);
// The text of the file, and how long it is.
size_t lockout_places_write(const struct lockout_places *p, char text[LOCKOUT_PLACES_FILE_MAX + 1]);
// The opposite, of untrusted bytes. False: damaged, and no place is known.
bool lockout_places_read(struct lockout_places *p, const char *text, size_t len);
