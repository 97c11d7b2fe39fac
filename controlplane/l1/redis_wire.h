// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What leaves for a Redis server (RESP2 arrays of bulk strings), in a buffer that grows as it must
// and gives its memory back; and the slot of a key. One thread.

#include "base/growth.h"
#include "redis_reply.h"

enum { REDIS_SLOTS = 16384, REDIS_OUT_CHUNK = 4096, REDIS_OUT_KEEP = 64 << 10 };

// Bytes of `c` on the wire.
size_t redis_command_size(const struct redis_command *c);
// Writes exactly that many bytes to `out`; returns the end.
char *redis_command_write(const struct redis_command *c, char *out);

// The slot of a key: CRC16 (XMODEM) of what stands between the first { and the next }, unless that
// is nothing, else of the whole key (Redis Cluster specification).
unsigned redis_slot(const char *key, size_t len);

// Bytes to send. The bound is its user's business.
struct redis_out {
	char *base;
	size_t head, tail, cap; // unsent bytes are in [head, tail)
};

// Room for `len` bytes at the end, counted as unsent from now on; NULL: no memory.
char *redis_out_take(struct redis_out *o, size_t len, struct growth *g);
void redis_out_sent(struct redis_out *o, size_t len, struct growth *g);
// Idle for `idle_ms`: frees a buffer that is larger than needed.
void redis_out_idle(struct redis_out *o, uint64_t idle_ms, struct growth *g);
void redis_out_free(struct redis_out *o, struct growth *g);
