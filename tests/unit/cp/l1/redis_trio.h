// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A real Redis Cluster of three masters, each a child of the test (redis_server.h).

#include "redis_server.h"

#include <weir/attr.h>

enum { REDIS_TRIO_NODES = 3 };

extern struct redis_server redis_trio[REDIS_TRIO_NODES];
extern char redis_trio_id[REDIS_TRIO_NODES][41];

int redis_trio_start(void **state); // 10 s at most; fails the test
int redis_trio_stop(void **state);
void redis_trio_node_start(unsigned node); // again, after its end
void redis_trio_await(void);               // until all know of all
const char *redis_trio_say(unsigned node, const char *fmt, ...) ATTR_PRINTF(2, 3);
