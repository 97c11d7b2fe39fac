// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A real redis-server on 127.0.0.1 as a child of the test, on a port and in a directory of its own,
// without persistence. Not started (package missing) is a failure of the test, not a skip. The
// kernel kills it when the test dies.

#include <stdint.h>
#include <sys/types.h>

enum { REDIS_SERVER_ARGS_MAX = 16, REDIS_SAY_MAX = 8192 };

struct redis_server {
	pid_t pid; // 0: not running
	uint16_t port;
	char folder[48];
};

// `args`: further arguments, NULL at the end; NULL: none. s->port 0: any free one. Returns when the
// server answers, within 5 s.
void redis_server_start(struct redis_server *s, const char *const *args);
void redis_server_stop(struct redis_server *s);  // kill -9; it may be started again on its port
void redis_server_clean(struct redis_server *s); // stop, and its directory is gone
void redis_server_signal(const struct redis_server *s, int sig);
// One inline command ("SET a b"), blocking, 2 s at most. The reply as it comes (RESP), "" for none.
const char *redis_server_say(const struct redis_server *s, const char *command);
uint16_t redis_free_port(void);

// Turns a loop until it is so; fails when it never is. `turn` takes so many `ms`.
enum { REDIS_UNTIL_MS = 60000 };
#define redis_until(is_so, ms, turn)                                \
	for (unsigned so_far_ms = 0; !(is_so); so_far_ms += (ms)) { \
		if (so_far_ms >= REDIS_UNTIL_MS)                    \
			fail_msg("never: %s", #is_so);              \
		turn;                                               \
	}                                                           \
	static_assert(true)
