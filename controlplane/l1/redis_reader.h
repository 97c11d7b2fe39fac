// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Parses replies of a Redis server (RESP2) from the bytes of one connection, for any input.
// redis_reader.c is the only includer of hiredis, and takes its reader alone: the asynchronous
// context of 0.14 asserts that each reply has a request, so a server could end the process.
//
// Bounds of one reply: REDIS_REPLY_MAX bytes, REDIS_ELEMENTS_MAX elements (known from the array's
// head, before anything is allocated), a depth of 7, lines of REDIS_LINE_MAX bytes.
// Replies are built in blocks that are reused for the next one; above READER_KEEP they are freed.
// One thread.

#include "base/growth.h"
#include "redis_reply.h"

enum { REDIS_ELEMENTS_MAX = 1 << 16, REDIS_LINE_MAX = 4096 };

struct redis_reader;

// `growth` counts the blocks of all who share it, and outlives the reader. -ENOMEM.
ATTR_MUST_CHECK int redis_reader_new(struct redis_reader **out, struct growth *growth);
void redis_reader_free(struct redis_reader *r); // NULL is fine

// Any bytes, at most REDIS_REPLY_MAX at once; then redis_reader_next until it is not 1. -ENOMEM.
ATTR_MUST_CHECK int redis_reader_feed(struct redis_reader *r, const void *bytes, size_t len);
// 1: `*out` is the next reply, good until the next call for this reader. 0: more bytes are needed.
// -EBADMSG, -EMSGSIZE, -ENOMEM: the connection is of no use any more.
ATTR_MUST_CHECK int redis_reader_next(struct redis_reader *r, const struct redis_reply **out);
// Idle for `idle_ms`: frees the block for the next reply if it is large.
void redis_reader_idle(struct redis_reader *r, uint64_t idle_ms);
size_t redis_reader_bytes(const struct redis_reader *r); // held
