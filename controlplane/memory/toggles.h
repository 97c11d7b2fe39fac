// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Toggles that switch a part of the control plane off for a while, to see whether growth stops: for
// `weirctl set` and `weirctl bisect`. Never in the configuration file; gone with the process.
//
// All but two act as if the file said so: a change gives all parts the last configuration with the
// toggles applied, so no other code knows of them. It reads no file. Service loop's thread.

#include <stdbool.h>
#include <stdint.h>
#include <weir/attr.h>
#include <weir/config.h>

// X(name, text, default, greatest value: 1 is on or off, effect when it is not the default)
#define TOGGLE_LIST(X)                                                                      \
	X(UPSTREAM_KEEPALIVE, "upstream.keepalive", 1, 1,                                   \
		"off: each query to an upstream has a "                                     \
		"socket of its own")                                                        \
	X(HTTP_KEEPALIVE, "http.keepalive", 1, 1,                                           \
		"off: each request to ClickHouse or a webhook has a connection of its own") \
	X(UPSTREAM_RECYCLE, "upstream.recycle", 64, 10000,                                  \
		"a socket is closed after so many queries; 0: never")                       \
	X(RESOLVER, "resolver", 1, 1,                                                       \
		"off: misses are SERVFAIL, nothing is refreshed: the data "                 \
		"plane alone")                                                              \
	X(REFRESH, "refresh", 1, 1, "off: nothing is renewed ahead of its expiry")          \
	X(L1, "l1", 1, 1, "off: Redis is not used")                                         \
	X(QUERY_LOG, "query_log", 1, 1, "off: no query is logged")                          \
	X(LIST_RELOAD, "list_reload", 1, 1,                                                 \
		"off: lists are not fetched, and not reloaded by hand")                     \
	X(API, "api", 1, 1, "off: the control API serves toggles, users, memory and health alone")

enum toggle {
#define X(name, text, usual, most, help) TOGGLE_##name,
	TOGGLE_LIST(X)
#undef X
		TOGGLE_COUNT
};

struct toggles {
	uint32_t value[TOGGLE_COUNT];
};

void toggles_reset(struct toggles *k); // all as usual
// TOGGLE_COUNT: no such one.
enum toggle toggle_find(const char *name);
const char *toggle_name(enum toggle toggle);
const char *toggle_help(enum toggle toggle);
uint32_t toggle_usual(enum toggle toggle); // 1: on
uint32_t toggle_most(enum toggle toggle);  // 1: on or off; else a number from 0 on
// "on", "off", a number, "default". -EINVAL.
ATTR_MUST_CHECK int toggle_set(struct toggles *k, enum toggle toggle, const char *value);
void toggles_apply(const struct toggles *k, struct config *c);
// A copy of `read` with the toggles applied, for free(). It points into `read`, which must live as
// long. NULL: no memory.
struct config *toggles_lay(const struct toggles *k, const struct config *read);
