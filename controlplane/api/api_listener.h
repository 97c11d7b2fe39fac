// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// An HTTP server on a TCP address for clients in some prefixes. A filter on the listening socket
// drops packets of other clients in the kernel, so these hold no descriptor. A kernel may refuse
// the filter; then the owner checks each client's address. On the service loop.
//
// If the address cannot be bound (mostly because it is in use) weir serves without it: the failure
// is logged and counted, the owner shows it, and weir tries again after 1 s, 2 s and so on up to
// API_LISTENER_AGAIN_MAX_S.

#include "http/http_server.h"

#include <stdbool.h>
#include <weir/attr.h>
#include <weir/config.h>

// Whether the Host field of a request over clear text names this box. A browser sends there the
// name in its address bar, even after the name's owner has rebound it to the box's address. Known
// are: no name (a client without Host is no browser), an IPv4 or IPv6 address, localhost, the
// machine's host name, and the names of `metrics.hosts`. The port does not matter. Any thread.

bool api_listen_host_is_known(const struct config_metrics *m, const char *host); // NULL: no Host

// /metrics, /health and /ready over TCP, for a Prometheus that cannot reach the control socket
// (`metrics.listen`; off unless it is set). Only GET of these endpoints is served: they change
// nothing, and show no names and clients.
//
// A request for a host name that is not the box's gets 421. Otherwise a web page could rebind its
// name to the box's address, and its visitors' browsers would read these endpoints for it.
//
// A client outside `metrics.allow` gets no connection, or 403 where the kernel refuses the filter;
// the peer's address is checked again when a request is complete. There is no TLS and no password:
// on an untrusted network leave this off and use `control.listen` (api_control.c). Bounds:
// API_LISTEN_CONNECTIONS_MAX connections, each with API_LISTEN_LIFE_MS for a request and for taking
// the reply (one more is closed, and so is a slower one: http_conns.h), and API_LISTEN_REQUESTS_MAX
// requests at a time (one more is 503). On the service loop.

enum {
	API_LISTEN_REQUESTS_MAX = 4,
	API_LISTEN_CONNECTIONS_MAX = 16,
	API_LISTEN_LIFE_MS = 10000,
};

struct api;

// Does nothing if metrics.listen is off. -ENOMEM.
ATTR_MUST_CHECK int api_listen_open(struct api *a);
void api_listen_close(struct api *a);
bool api_listen_is_on(const struct api *a); // configured, whether it listens or not

enum { API_LISTENER_ALLOW_MAX = 16, API_LISTENER_AGAIN_MAX_S = 60 };
static_assert((int)CONFIG_METRICS_ALLOW_MAX <= (int)API_LISTENER_ALLOW_MAX);
static_assert((int)CONFIG_CONTROL_ALLOW_MAX <= (int)API_LISTENER_ALLOW_MAX);

struct event;

struct api_listener_set {
	const char *key; // the setting's key, for messages
	struct socket_address address;
	unsigned backlog, allow_count;
	const struct ip_address *allow; // outlives the listener
};

struct api_listener {
	struct api_listener_set set;
	struct http_settings settings;
	struct http_server *server; // NULL: off, or not listening
	struct event *again;        // NULL: off
	unsigned wait_s;            // until the next try
	int error;                  // -errno of the last try; 0: it listens, or is off
	uint64_t failures;
};

// -ENOMEM. An address that cannot be bound is no error.
ATTR_MUST_CHECK int api_listener_open(struct api_listener *l, const struct api_listener_set *set,
	const struct http_settings *settings);
void api_listener_close(struct api_listener *l); // a zeroed listener is fine

// Parts of a listener: makes the listening socket, or -errno; whether a peer may send requests.
ATTR_MUST_CHECK int api_listener_socket(const struct api_listener_set *s);
bool api_listener_admits(const struct api_listener_set *s, const struct sockaddr_storage *peer);
