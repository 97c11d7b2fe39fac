// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Leaks that other resolvers had, planted for the tests that must find them. They exist only in a
// build with -Dleak_demo=true, where WEIR_LEAK in the environment selects them: a list of names of
// LEAK_DEMO_LIST, or "all". The leaked memory stays reachable, as in a table that is never pruned,
// so a leak sanitizer would not see it. The file with the leak allocates the memory, so it is in
// the account that a real leak there would have.

// X(name, the object that leaks), by account: images, http, redis, resolver, upstream, resolver.
#define LEAK_DEMO_LIST(X)                                                         \
	X(reload)  /* garbage of each reload of the lists */                      \
	X(bodies)  /* the body of each HTTP exchange, undrained */                \
	X(keys)    /* keys that were given no TTL */                              \
	X(refresh) /* each refresh held a whole message */                        \
	X(buffers) /* connections' buffers grew with each use and never shrank */ \
	X(map)     /* a map with an entry for each question that nobody took out */

enum leak_demo {
#define X(name) LEAK_##name,
	LEAK_DEMO_LIST(X)
#undef X
		LEAK_DEMO_COUNT
};

#ifdef WEIR_LEAK_DEMO
#include <stdbool.h>
#include <stddef.h>
#include <weir/heap_site.h>
bool leak_demo_is_planted(enum leak_demo which);
// `block` has room for a pointer at least; NULL is fine.
void leak_demo_keep(void *block, size_t bytes);
// The statement at the end keeps the call from being the function's last, which would hide the
// function from a call stack.
#define LEAK_DEMO(name, bytes)                                       \
	do {                                                         \
		if (leak_demo_is_planted(LEAK_##name))               \
			leak_demo_keep(heap_malloc(bytes), (bytes)); \
		__asm__ volatile("");                                \
	} while (0)
#else
#define LEAK_DEMO(name, bytes) ((void)0)
#endif
