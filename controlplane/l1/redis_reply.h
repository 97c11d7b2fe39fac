// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Commands as they are sent to a Redis server, and its replies. redis_reader.c reads replies.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

enum { REDIS_ARGS_MAX = 16, REDIS_REPLY_MAX = 1 << 20 };

struct redis_reply;

// What came of it. `reply` is given with REDIS_DONE and REDIS_REFUSED alone.
enum redis_end {
	REDIS_DONE,    // of a transaction: the array that EXEC returns
	REDIS_REFUSED, // an error of the server; of a transaction: also when one of its commands
		       // failed
	REDIS_TIMEOUT, // not known whether it was carried out
	REDIS_LOST,    // the connection broke; not known either
	REDIS_AWAY,    // not sent: breaker, no node for the slot, shutdown
	REDIS_FULL,    // not sent: our bounds
};

// Called once for each command that was given, never from within redis_send. `reply` is good during
// the call.
typedef void (*redis_done_fn)(void *arg, enum redis_end end, const struct redis_reply *reply);

struct redis_word {
	const char *text; // any bytes
	size_t len;
};

// One command; words are copied by redis_send.
struct redis_command {
	unsigned count;
	struct redis_word word[REDIS_ARGS_MAX];
};

enum redis_kind { REDIS_NIL, REDIS_TEXT, REDIS_INTEGER, REDIS_ARRAY, REDIS_STATUS, REDIS_ERROR };
enum redis_kind redis_reply_kind(const struct redis_reply *reply);
// Bytes of a text, status or error; else NULL and 0.
const char *redis_reply_text(const struct redis_reply *reply, size_t *len);
int64_t redis_reply_integer(const struct redis_reply *reply); // 0 unless an integer
unsigned redis_reply_count(const struct redis_reply *reply);  // elements of an array; else 0
const struct redis_reply *redis_reply_at(const struct redis_reply *reply, unsigned i); // NULL: none
