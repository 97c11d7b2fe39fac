// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What goes over the wire to a Redis server and back (RESP2): commands, bytes that wait to be sent,
// replies, errors, and the slot of a key. Replies are hostile: any bytes may come. One thread.

#include "base/growth.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>
#include <weir/config.h>

enum { REDIS_ARGS_MAX = 16, REDIS_REPLY_MAX = 1 << 20 };

struct redis_reply;

// How a call ended. `reply` is given with REDIS_DONE and REDIS_REFUSED alone.
enum redis_end {
	REDIS_DONE,    // `reply` to a transaction: the array that EXEC returns
	REDIS_REFUSED, // the server returned an error, perhaps for one command of a transaction
	REDIS_TIMEOUT, // not known whether the command was carried out
	REDIS_LOST,    // the connection broke; not known whether it was carried out
	REDIS_LARGE,   // the reply was over REDIS_REPLY_MAX bytes; its connection is closed
	REDIS_AWAY,    // not sent: breaker, no node for the slot, shutdown
	REDIS_FULL,    // not sent: a bound of calls or bytes
};

// Called once for each call that redis_send accepted, never from within redis_send. `reply` is good
// during the call.
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
// NULL: there is no element `i`.
const struct redis_reply *redis_reply_at(const struct redis_reply *reply, unsigned i);

// Commands are sent as arrays of bulk strings, from a buffer that grows as needed and is freed when
// large and empty.
enum { REDIS_SLOTS = 16384, REDIS_OUT_CHUNK = 4096, REDIS_OUT_KEEP = 64 << 10 };

// Bytes of `c` on the wire.
size_t redis_command_size(const struct redis_command *c);
// Writes exactly redis_command_size(c) bytes to `out`; returns the end.
char *redis_command_write(const struct redis_command *c, char *out);

// The slot of a key: CRC16 (XMODEM) of the text between the first { and the next }, or of the whole
// key if there is no such text (Redis Cluster specification).
unsigned redis_slot(const char *key, size_t len);

// Bytes to send. The caller bounds them.
struct redis_out {
	char *base;
	size_t head, tail, cap; // unsent bytes are in [head, tail)
};

// Room for `len` bytes at the end, counted as unsent from now on; NULL: no memory.
char *redis_out_take(struct redis_out *o, size_t len, struct growth *g);
void redis_out_sent(struct redis_out *o, size_t len, struct growth *g);
// Frees a large, empty buffer that was idle for `idle_ms`.
void redis_out_idle(struct redis_out *o, uint64_t idle_ms, struct growth *g);
void redis_out_free(struct redis_out *o, struct growth *g);

// Errors of the server: the kinds that matter here, and where MOVED and ASK point to. The texts
// come from the server, so they are hostile.
enum redis_error {
	REDIS_ERROR_OTHER,
	REDIS_ERROR_OOM,
	REDIS_ERROR_READONLY,
	REDIS_ERROR_WRONGTYPE,
	REDIS_ERROR_DENIED, // the ACL denies the command, or log-in is missing
	REDIS_ERROR_MOVED,
	REDIS_ERROR_ASK,
	REDIS_ERROR_CLUSTERDOWN,
	REDIS_ERROR_EXECABORT,
};

enum redis_error redis_error_kind(const struct redis_reply *reply); // a REDIS_ERROR
// "MOVED 3999 127.0.0.1:6381", "ASK 3999 fd53::1:6381"; an empty host stands for `from`. -EINVAL.
ATTR_MUST_CHECK int redis_error_where(const struct redis_reply *reply,
	const struct socket_address *from, unsigned *slot, struct socket_address *out);
// A host and a port as a server writes them in two texts. -EINVAL: a name, or nonsense.
ATTR_MUST_CHECK int redis_host_parse(
	const char *host, size_t host_len, int64_t port, struct socket_address *out);

// Parses replies from the bytes of one connection, for any input. redis_wire.c is the only includer
// of hiredis, and takes only its reader: the asynchronous context of 0.14 asserts that each reply
// has a request, so a server could end the process.
//
// Bounds of one reply: `most` bytes, an element for each REDIS_ELEMENT_BYTES of them (known from
// the array's head, before anything is allocated), a depth of 7, lines of REDIS_LINE_MAX bytes.
// Replies are built in blocks that are reused for the next reply; above READER_KEEP they are freed.
enum { REDIS_ELEMENT_BYTES = 16, REDIS_LINE_MAX = 4096 };

struct redis_reader;

// `most`: bytes of one reply, at most REDIS_REPLY_MAX. `growth` counts the blocks of all readers
// that share it, and outlives them. -ENOMEM.
ATTR_MUST_CHECK int redis_reader_new(struct redis_reader **out, size_t most, struct growth *growth);
void redis_reader_free(struct redis_reader *r); // NULL is fine

// Takes any bytes, at most REDIS_REPLY_MAX at once; then call redis_reader_next until it is not 1.
// -ENOMEM.
ATTR_MUST_CHECK int redis_reader_feed(struct redis_reader *r, const void *bytes, size_t len);
// 1: `*out` is the next reply, good until the next call for this reader. 0: more bytes are needed.
// -EBADMSG, -EMSGSIZE, -ENOMEM: the connection is of no use any more.
ATTR_MUST_CHECK int redis_reader_next(struct redis_reader *r, const struct redis_reply **out);
// Whether a part of a reply was fed, and not yet its end.
bool redis_reader_is_midway(const struct redis_reader *r);
// Frees a large block for the next reply that was idle for `idle_ms`.
void redis_reader_idle(struct redis_reader *r, uint64_t idle_ms);
size_t redis_reader_bytes(const struct redis_reader *r); // memory held
