// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// An HTTP server on a TCP address for some prefixes. A client outside of these gets no connection:
// a filter on the listening socket drops its packets in the kernel, so it holds no descriptor. On
// the service loop.
//
// If the address cannot be bound (mostly because it is in use) weir serves all the same: that is
// logged and counted, the owner shows it, and it is tried again after 1 s, 2 s and so on up to
// API_LISTENER_AGAIN_MAX_S.

#include "http/http_server.h"

#include <weir/config.h>

enum { API_LISTENER_ALLOW_MAX = 16, API_LISTENER_AGAIN_MAX_S = 60 };
static_assert((int)CONFIG_METRICS_ALLOW_MAX <= (int)API_LISTENER_ALLOW_MAX);
static_assert((int)CONFIG_CONTROL_ALLOW_MAX <= (int)API_LISTENER_ALLOW_MAX);

struct event;

struct api_listener_set {
	const char *key; // of the configuration, for messages
	struct socket_address address;
	unsigned backlog, allow_count;
	const struct ip_address *allow; // outlives the listener
};

struct api_listener {
	struct api_listener_set set;
	struct http_settings settings;
	struct http_server *server; // NULL: off, or not yet
	struct event *again;        // NULL: off
	unsigned wait_s;            // until it is tried again
	int error;                  // why not, -errno; 0: it listens, or is off
	uint64_t failures;
};

// -ENOMEM; an address that cannot be bound is none.
ATTR_MUST_CHECK int api_listener_open(struct api_listener *l, const struct api_listener_set *set,
	const struct http_settings *settings);
void api_listener_close(struct api_listener *l); // one that is zeroed is fine

// Its parts: a listening socket or -errno; whether a peer may ask.
ATTR_MUST_CHECK int api_listener_socket(const struct api_listener_set *s);
bool api_listener_admits(const struct api_listener_set *s, const struct sockaddr_storage *peer);
