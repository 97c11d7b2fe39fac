// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Clients of the control API that fail to prove who they are: after LOCKOUT_TRIES failures within
// LOCKOUT_WINDOW_S the client's address (of IPv6 its /64) is locked out, for LOCKOUT_FIRST_S, then
// twice as long each time up to LOCKOUT_MOST_S. A success forgets the failures before it.
//
// A value of LOCKOUT_MAX addresses; one more takes the place of the one that failed longest ago
// (counted). The service loop's thread; a call looks through the table. `now_s`: of a clock that
// is never set.

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
	LOCKOUT_MAX = 256,
	LOCKOUT_TRIES = 10,
	LOCKOUT_WINDOW_S = 60,
	LOCKOUT_FIRST_S = 60,
	LOCKOUT_MOST_S = 960,
	LOCKOUT_SOURCE_LEN = 9,
};

struct lockout_entry {
	uint8_t source[LOCKOUT_SOURCE_LEN]; // the family, 0: free
	unsigned failures, locks;
	uint64_t since_s, last_s, until_s;
};

struct lockout {
	struct lockout_entry entry[LOCKOUT_MAX];
	uint64_t failures, locked, evicted; // ever
};

// Seconds until the address may try again; 0: it may.
unsigned lockout_left(
	const struct lockout *l, const struct sockaddr_storage *source, uint64_t now_s);
// True: the address is locked out from here on.
bool lockout_failed(struct lockout *l, const struct sockaddr_storage *source, uint64_t now_s);
void lockout_succeeded(struct lockout *l, const struct sockaddr_storage *source);
unsigned lockout_used(const struct lockout *l);
