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

#include <stdbool.h>
#include <weir/attr.h>
#include <weir/config.h>

// Is the box meant by the name that a request over clear text asks for? A browser sends in the
// field Host the name that stands in its address bar, also after that name's owner has rebound it
// to the box's address. Known are: no name (clients without Host are no browsers), an IPv4 or IPv6
// address, localhost, the machine's own name, and those of `metrics.hosts`. The port does not
// matter. Any thread.

bool api_listen_host_is_known(const struct config_metrics *m, const char *host); // NULL: no field

// /metrics, /health and /ready over TCP, for a Prometheus that cannot reach the control socket
// (`metrics.listen`; off unless it is set). The same server as there, with GET of these endpoints
// alone: no endpoint that changes anything, or shows names and clients, is on the network.
//
// A request by a name that is not the box's gets 421: a web page that rebinds
// its own name to the box's address would have its readers' browsers read what is here.
//
// A client outside `metrics.allow` gets no connection; the peer's address is
// checked again when a request is complete. No TLS and no password: on an untrusted network leave
// this off and use `control.listen` (api_control.c). Bounds: API_LISTEN_CONNECTIONS_MAX
// connections, each with API_LISTEN_LIFE_MS for a request and for taking its reply (one more is
// closed, and so is a slower one: http_conns.h), and API_LISTEN_REQUESTS_MAX requests at a time
// (one more is 503). On the service loop.

enum {
	API_LISTEN_REQUESTS_MAX = 4,
	API_LISTEN_CONNECTIONS_MAX = 16,
	API_LISTEN_LIFE_MS = 10000,
};

struct api;

// Nothing, when it is off. -ENOMEM.
ATTR_MUST_CHECK int api_listen_open(struct api *a);
void api_listen_close(struct api *a);
bool api_listen_is_on(const struct api *a); // asked for, whether it listens or not

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
